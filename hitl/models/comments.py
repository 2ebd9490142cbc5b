from django.conf import settings
from django.db import models
from django.db.models import Q

from core.ids import new_id
from hitl.models.requests import HitlRequest


class Comment(models.Model):
    """One word in the thread of a request. All members read it; it decides nothing."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(HitlRequest, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="hitl_comments"
    )
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "hitl_comments"
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="hitl_comment_says_something")
        ]
        indexes = [models.Index(fields=["request", "created_at"], name="comments_of_a_request")]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:60]}"
