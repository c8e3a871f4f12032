"""What the smoke test applies: two providers in the cluster, their keys, and a policy over them. Pure."""

import json
from pathlib import Path
from typing import Any, Final

Manifest = dict[str, Any]

NAMESPACE: Final = "providerswitch-smoke"
POLICY: Final = "smoke"
PRIMARY: Final = "primary"
BACKUP: Final = "backup"
PORT: Final = 8000
PROVIDER: Final = Path(__file__).with_name("provider.py")
RESTRICTED: Final = {"pod-security.kubernetes.io/enforce": "restricted"}


def namespace(name: str) -> Manifest:
    """Return a namespace in which only Pods of the restricted profile may run."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}


def providers(image: str) -> list[Manifest]:
    """Return everything the two providers consist of; they run on the Python of the operator's image."""
    script = {"provider.py": PROVIDER.read_text()}
    parts = [part for name in (PRIMARY, BACKUP) for part in (_deployment(name, image), _service(name))]
    return [{**_object("v1", "ConfigMap", "provider"), "data": script}, *parts]


def policy(domain: str) -> list[Manifest]:
    """Return the Secret and the policy; providers are found as NAME.NAMESPACE.domain."""
    hosts = {name: f"{name}.{NAMESPACE}.{domain}:{PORT}" for name in (PRIMARY, BACKUP)}
    secret = _object("v1", "Secret", "keys", annotations={"providerswitch.dev/hosts": ",".join(hosts.values())})
    spec = {
        "primary": PRIMARY,
        "providers": [_listed(name, host) for name, host in hosts.items()],
        "healthCheck": {"interval": "2s", "fastInterval": "500ms", "timeout": "1s", "recoveryThreshold": 2},
        "failover": {"blacklistDuration": "5s", "minDwell": "0s"},
    }
    return [
        {**secret, "stringData": {name: _key(name) for name in hosts}},
        {**_object("providerswitch.dev/v1alpha1", "ProviderSwitchPolicy", POLICY), "spec": spec},
    ]


def listed(items: list[Manifest]) -> str:
    """Return manifests as one document for `kubectl apply -f -`."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _listed(name: str, host: str) -> Manifest:
    auth = {"secretKeyRef": {"name": "keys", "key": name}}
    return {"name": name, "type": "openai", "model": "smoke-model", "baseURL": f"http://{host}/v1", "auth": auth}


def _key(name: str) -> str:
    return f"key-of-{name}"


def _object(version: str, kind: str, name: str, **metadata: Any) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE, **metadata}}


def _deployment(name: str, image: str) -> Manifest:
    container = {
        "name": "provider",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "/provider/provider.py"],
        "env": [{"name": "PROVIDER_KEY", "value": _key(name)}],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "provider", "mountPath": "/provider", "readOnly": True}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "provider", "configMap": {"name": "provider"}}],
    }
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {**_object("apps/v1", "Deployment", name), "spec": spec}


def _service(name: str) -> Manifest:
    return {**_object("v1", "Service", name), "spec": {"selector": {"app": name}, "ports": [{"port": PORT}]}}
