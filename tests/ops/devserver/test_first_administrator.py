import pytest
from django.contrib.auth import get_user_model

from core.authentication import hash_key
from ops.management.commands.prepare import first_administrator

pytestmark = pytest.mark.django_db


def test_the_first_administrator_gets_a_password_and_a_token(monkeypatch):
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)
    made = first_administrator()
    admin = get_user_model().objects.get(username="admin")
    assert admin.is_superuser
    assert admin.check_password(made["password"])
    assert admin.personal_tokens.get().key_hash == hash_key(made["token"])


def test_a_given_password_is_used_and_not_repeated(monkeypatch):
    monkeypatch.setenv("ADMIN_PASSWORD", "given by the operator")
    made = first_administrator()
    assert made["password"] is None
    assert get_user_model().objects.get().check_password("given by the operator")


def test_a_second_start_makes_nobody():
    first_administrator()
    assert first_administrator() == {"username": "admin", "is_new": False}
    assert get_user_model().objects.count() == 1


def test_whoever_renamed_the_administrator_gets_no_second_one(django_user_model):
    django_user_model.objects.create_superuser("grace")
    assert first_administrator() == {"username": "grace", "is_new": False}
