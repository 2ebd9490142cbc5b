"""What people add on a page: files, and the next version of their own input."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest

from audit.actors import Actor
from context.models import Artifact, ArtifactVersion
from context.services import UPLOAD_MAX_BYTES, add_version, upload_file
from context.services.uploads import too_large
from context.types.user_input import USER_INPUT
from core.errors import InvalidInput
from projects.access import DECIDE, role_of


class NextVersion(forms.Form):
    """`base_version` is the version that was read."""

    text = forms.CharField(strip=False)
    base_version = forms.IntegerField(min_value=1)
    comment = forms.CharField(label="What did you change?", max_length=10_000, required=False)


def may_upload(user: Any, project_id: UUID) -> bool:
    return role_of(user, project_id) in DECIDE


def may_write(user: Any, artifact: Artifact) -> bool:
    """Other types go on by a decision on a request, and are amended there."""
    is_input = artifact.artifact_type == USER_INPUT
    return is_input and may_upload(user, artifact.project_id)


def take_file(request: HttpRequest, project_id: UUID) -> Artifact:
    """Raises what `upload_file` does."""
    file = request.FILES.get("file")
    if file is None:
        raise InvalidInput.of("file", "required", "Choose a file.")
    if file.size > UPLOAD_MAX_BYTES:
        raise too_large()
    return upload_file(
        actor=Actor.of_user(request.user),
        project_id=project_id,
        name=file.name,
        data=file.read(),
        title=request.POST.get("title", "").strip(),
    )


def take_version(request: HttpRequest, artifact: Artifact) -> ArtifactVersion:
    """Raises what `add_version` does."""
    form = NextVersion(request.POST)
    if not form.is_valid():
        field, [error, *_] = next(iter(form.errors.items()))
        raise InvalidInput.of(field, "invalid", f"{form[field].label}: {error}")
    fields = form.cleaned_data
    return add_version(
        actor=Actor.of_user(request.user),
        artifact_id=artifact.pk,
        content={"text": unix_lines(fields["text"])},
        base_version=fields["base_version"],
        comment=fields["comment"],
    )


def unix_lines(text: str) -> str:
    """Browsers send every line of a form with CRLF, whatever was there."""
    return text.replace("\r\n", "\n")
