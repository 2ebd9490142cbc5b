from django.urls import path

from agents.work.views import WorkViewSet

VERBS = ("heartbeat", "complete", "ask", "fail", "release")

urlpatterns = [
    path("work/claim/", WorkViewSet.as_view({"post": "claim"}), name="work-claim"),
    *(
        path(
            f"work/<uuid:task_id>/{verb}/",
            WorkViewSet.as_view({"post": verb}),
            name=f"work-{verb}",
        )
        for verb in VERBS
    ),
]
