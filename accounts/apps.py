from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts.logins import watch_logins
        from accounts.tokens import PersonalTokens
        from accounts.users import watch_users
        from core.authentication import register_scheme

        register_scheme("token", PersonalTokens())
        watch_logins()
        watch_users()
