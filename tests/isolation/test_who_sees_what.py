"""Every active account may enter the admin: what each person finds in every list and page of it."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client, RequestFactory
from django.urls import URLPattern, reverse

from hitl.models import HitlRequest
from projects.models import Project
from tests.fixtures import make_user
from ui.web.admin.base import OperatorAdmin, ProjectScopedAdmin

pytestmark = pytest.mark.django_db

MEMBERS = ("viewer", "approver", "owner")
OTHERS = ("outsider", "operator")
PEOPLE = (*MEMBERS, *OTHERS, "staff")
OF_PROJECTS = [m for m, a in admin.site._registry.items() if isinstance(a, ProjectScopedAdmin)]
OF_OPERATORS = [m for m, a in admin.site._registry.items() if isinstance(a, OperatorAdmin)]
VERBS = ("module", "view", "add", "change", "delete")
# Beside the lists. Whom each is for: everybody, members of the project, or superusers.
PAGES = {
    "admin:index": PEOPLE,
    "admin:search": PEOPLE,
    "admin:reauthenticate": PEOPLE,
    "admin:profile": PEOPLE,
    "admin:notification_preferences": PEOPLE,
    "admin:outbox": ("staff",),
    "admin:push_worker": PEOPLE,
    "admin:manifest": PEOPLE,
    "admin:password_change": PEOPLE,
    "admin:hitl_statistics": PEOPLE,
    "admin:hitl_waiting": PEOPLE,
    "admin:agents_emergencystop_control": PEOPLE,
    "admin:projects_project_add": PEOPLE,
    "admin:agent_types": PEOPLE,
    "admin:workflows": PEOPLE,
    "admin:installation_floor": ("staff",),
}
OF_DJANGO = ("login", "logout", "password_change_done", "jsi18n", "autocomplete")
# They answer no GET.
FORMS = ("inbox_filter_save",)
OF_ONE_PROJECT = (
    "admin:projects_project_change",
    "admin:project_policy",
    "admin:project_traceability",
    "admin:project_members",
    "admin:project_usage",
    "admin:project_models",
)


@pytest.fixture(scope="module")
def everybody(things_of_the_module):
    """`operator`: staff with every permission on models, member of nothing; `staff`: superuser."""
    make_user("outsider")
    make_user("staff", is_staff=True, is_superuser=True)
    make_user("operator", is_staff=True).user_permissions.set(Permission.objects.all())


@pytest.fixture(scope="module")
def clients(everybody):
    """Each is logged in once."""
    return {name: logged_in(User.objects.get(username=name)) for name in PEOPLE}


@pytest.fixture
def things(things_of_the_module):
    return things_of_the_module


@pytest.fixture
def people(everybody):
    return {person.username: person for person in User.objects.filter(username__in=PEOPLE)}


@pytest.fixture
def owner(people):
    return people["owner"]


@pytest.fixture
def viewer(people):
    return people["viewer"]


def request_of(person):
    request = RequestFactory().get("/admin/")
    request.user = person
    return request


def may(model, verb, person):
    check = getattr(admin.site._registry[model], f"has_{verb}_permission")
    return bool(check(request_of(person)))


def logged_in(person):
    client = Client()
    client.force_login(person)
    return client


def test_every_list_says_whom_it_is_for():
    assert {*OF_PROJECTS, *OF_OPERATORS} == {*admin.site._registry}
    assert len(OF_PROJECTS) > 10
    assert len(OF_OPERATORS) > 5


@pytest.mark.parametrize("name", PEOPLE)
def test_lists_of_projects_are_open_to_all_and_show_what_is_theirs(things, people, name, subtests):
    sees_it = name in (*MEMBERS, "staff")
    for model in OF_PROJECTS:
        with subtests.test(model.__name__):
            assert may(model, "module", people[name])
            assert may(model, "view", people[name])
            rows = admin.site._registry[model].get_queryset(request_of(people[name]))
            assert rows.filter(pk=things.id_of(model)).exists() == sees_it


@pytest.mark.parametrize("name", PEOPLE)
def test_in_them_nobody_writes_past_the_services(people, name):
    writable = {
        (model, verb)
        for model in OF_PROJECTS
        for verb in ("add", "change", "delete")
        if may(model, verb, people[name])
    }
    # Its own page, and the decisions on many; both go through services.
    assert writable == {(Project, "add"), (HitlRequest, "change")}


@pytest.mark.parametrize("name", [*MEMBERS, "outsider"])
def test_lists_of_operators_are_for_staff_whatever_permissions_somebody_has(people, name, subtests):
    person = people[name]
    person.user_permissions.set(Permission.objects.all())
    client = logged_in(person)
    for model in OF_OPERATORS:
        with subtests.test(model.__name__):
            assert not any(may(model, verb, person) for verb in VERBS)
            path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            assert client.get(path).status_code == 403


def test_staff_need_the_permission_of_the_model_too(people):
    operator = people["operator"]
    assert all(may(model, "view", operator) for model in OF_OPERATORS)
    bare = make_user("bare", is_staff=True)
    assert not any(may(model, verb, bare) for model in OF_OPERATORS for verb in VERBS)


@pytest.mark.parametrize("page", PAGES)
def test_pages_of_the_site(clients, page):
    answers = {name: client.get(reverse(page)) for name, client in clients.items()}
    assert {name for name, answer in answers.items() if answer.status_code == 200} == {*PAGES[page]}
    assert {answer.status_code for answer in answers.values()} <= {200, 403}


def test_no_page_of_the_site_is_forgotten():
    named = {
        f"admin:{url.name}"
        for url in admin.site.get_urls()
        if isinstance(url, URLPattern) and url.name and "<" not in str(url.pattern)
    }
    of_models = {page for page in PAGES if page not in named}
    others = {f"admin:{name}" for name in (*OF_DJANGO, *FORMS)}
    assert named - others == {*PAGES} - of_models


@pytest.mark.parametrize("page", OF_ONE_PROJECT)
def test_pages_of_a_project_are_for_its_members(things, clients, page):
    path = reverse(page, args=[things.project.pk])
    answers = {name: client.get(path).status_code for name, client in clients.items()}
    assert answers == dict.fromkeys((*MEMBERS, "staff"), 200) | dict.fromkeys(OTHERS, 404)


def test_a_viewer_reads_every_list_and_every_page_of_their_project(things, viewer, subtests):
    client = logged_in(viewer)
    for model in OF_PROJECTS:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        with subtests.test(model.__name__):
            assert client.get(reverse(f"{name}_changelist")).status_code == 200
            page = client.get(reverse(f"{name}_change", args=[things.id_of(model)]))
            assert page.status_code == 200


def test_who_is_not_active_is_sent_to_the_login(owner):
    client = logged_in(owner)
    owner.is_active = False
    owner.save()
    assert client.get(reverse("admin:index")).status_code == 302


def test_every_active_account_logs_in_by_name_and_password(owner):
    form = {"username": "owner", "password": "owner-password", "next": "/admin/"}
    assert Client().post(reverse("admin:login"), form).status_code == 302
    owner.is_active = False
    owner.save()
    refused = Client().post(reverse("admin:login"), form)
    assert "staff" not in refused.context["form"].errors.as_text()
