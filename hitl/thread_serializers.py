"""What people do about a request beside deciding: claim, hand on, talk."""

from rest_framework import serializers

from core.fields import TextField
from core.serializers import StrictSerializer
from hitl.models import Comment
from hitl.services.comments import TEXT_MAX_LENGTH
from projects.serializers import UserField


class ReassignInput(StrictSerializer):
    user = UserField()


class CommentInput(StrictSerializer):
    text = TextField(max_length=TEXT_MAX_LENGTH)


class CommentSerializer(serializers.ModelSerializer):
    author_username = serializers.CharField(source="author.username", read_only=True)

    class Meta:
        model = Comment
        fields = ("id", "request", "author", "author_username", "text", "created_at")
        read_only_fields = fields
