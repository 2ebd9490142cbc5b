from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "projects"

    def ready(self) -> None:
        from audit.access import register_access_policy
        from projects.access import ProjectAccess

        register_access_policy(ProjectAccess)
