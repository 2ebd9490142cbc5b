from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "projects"

    def ready(self) -> None:
        from audit.access import register_access_policy
        from audit.rows import register_rows
        from projects.access import ProjectAccess
        from projects.groups import watch_groups

        register_access_policy(ProjectAccess)
        register_rows("rows_of_projects", "rows_of_members", "rows_of_groups")
        register_rows("rows_of_credentials", "rows_of_invitations", "rows_of_floor")
        watch_groups()
