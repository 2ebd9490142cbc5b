from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts.logins import watch_logins
        from accounts.noted import note_what_was_there
        from accounts.profiles import watch_time_zones
        from accounts.second_factor import watch_second_factors
        from accounts.single_sign_on import watch_single_sign_on
        from accounts.tokens import PersonalTokens
        from accounts.users import watch_users
        from audit.rows import register_rows
        from core.authentication import register_scheme

        register_scheme("token", PersonalTokens())
        watch_logins()
        watch_time_zones()
        watch_second_factors()
        watch_single_sign_on()
        watch_users()
        register_rows("rows_of_users", "rows_of_rights", "rows_of_tokens")
        register_rows("rows_of_identities", "rows_of_second_factors", "rows_of_user_groups")
        post_migrate.connect(note_what_was_there, self, dispatch_uid="accounts")
