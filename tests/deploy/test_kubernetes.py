"""The manifests fit the API of Kubernetes and each other, and hold no secret."""

import re
import warnings

import pytest
import yaml
from kubernetes_validate import validate

from ops.devserver.runtime import PROJECT_DIR
from tests.test_deployment import read_by_settings

FOLDER = PROJECT_DIR / "deploy" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
# Applied by itself, where the users of the database are not there yet.
ROLES = "roles/database-roles.yaml"
MANIFESTS = [
    manifest
    for name in [*KUSTOMIZATION["resources"], ROLES]
    for manifest in yaml.safe_load_all((FOLDER / name).read_text())
]
# The oldest that has all we use, and the newest that the schemas are there for.
VERSIONS = ("1.27", "1.37")


def name_of(manifest):
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def of_kind(*kinds):
    return [manifest for manifest in MANIFESTS if manifest["kind"] in kinds]


PODS = {
    name_of(m): m["spec"]["template"]["spec"]
    for m in MANIFESTS
    if m["kind"] in ("Deployment", "Job")
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", MANIFESTS, ids=name_of)
def test_every_manifest_fits_the_schema(manifest, version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        validate(manifest, version, strict=True)


def test_every_file_is_applied():
    there = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}

    assert there == set(KUSTOMIZATION["resources"])


@pytest.mark.parametrize(("name", "pod"), PODS.items(), ids=PODS)
def test_every_pod_is_as_closed_as_it_can_be(name, pod):
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        own = container["securityContext"]
        assert own["readOnlyRootFilesystem"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert container["image"] == "paraph"
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]


@pytest.mark.parametrize("manifest", of_kind("Deployment"), ids=name_of)
def test_what_runs_for_long_is_asked_whether_it_lives(manifest):
    for container in manifest["spec"]["template"]["spec"]["containers"]:
        assert "livenessProbe" in container


def test_no_secret_is_in_a_file_and_provider_keys_are_for_workers_only():
    assert not of_kind("Secret")
    holders = {
        name
        for name, pod in PODS.items()
        for source in pod["containers"][0]["envFrom"]
        if source.get("secretRef", {}).get("name") == "paraph-models"
    }
    assert holders == {"Deployment paraph-engine", "Deployment paraph-agents"}


@pytest.mark.parametrize(
    ("secret", "holders"),
    [
        ("paraph-migration", {"Job paraph-migrate", "Job paraph-roles"}),
        ("paraph-admin", {"Job paraph-roles"}),
    ],
)
def test_only_jobs_have_a_stronger_user_of_the_database(secret, holders):
    assert holders == {
        name
        for name, pod in PODS.items()
        for source in pod["containers"][0]["envFrom"]
        if source.get("secretRef", {}).get("name") == secret
    }


def test_what_is_configured_is_what_the_settings_read():
    (configuration,) = of_kind("ConfigMap")

    assert set(configuration["data"]) <= read_by_settings().keys()


def test_selectors_select_and_targets_are_there():
    pods = [m["spec"]["template"]["metadata"]["labels"] for m in of_kind("Deployment")]
    for manifest in of_kind("Deployment", "PodDisruptionBudget"):
        assert manifest["spec"]["selector"]["matchLabels"] in pods
    for service in of_kind("Service"):
        assert service["spec"]["selector"] in pods
    deployments = {manifest["metadata"]["name"] for manifest in of_kind("Deployment")}
    for scaler in of_kind("HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] in deployments


def test_workers_scale_by_a_metric_that_there_is():
    metrics = [
        metric["external"]["metric"]["name"]
        for scaler in of_kind("HorizontalPodAutoscaler")
        for metric in scaler["spec"]["metrics"]
        if metric["type"] == "External"
    ]
    documented = re.findall(r"`(paraph_\w+)`", (PROJECT_DIR / "docs/health.md").read_text())

    assert metrics
    assert set(metrics) <= set(documented)
