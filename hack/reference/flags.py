"""docs/reference/flags.md: commands, flags, environment variables and exit codes."""

from typing import Final

from providerswitch.controller.settings import FLAGS
from reference.markdown import bullets, code, page, section, table

EXIT_CODES: Final = {
    "0": "`run`: stopped by SIGTERM or SIGINT; what is published stays published. `classify`: every line was read."
    " `explain`: all policies are explained. `revisions`, `rollback`: done.",
    "1": "`run`: a setting cannot be used (one line says which), or a task ended that must not end (restart it)."
    " `explain`: a policy has no status yet. `revisions`, `rollback`: refused, and nothing was changed.",
    "2": "The command line is wrong: an unknown command or flag, or a malformed value. `classify`: a line could not be"
    " read; the others were classified all the same. `explain`: something could not be read as a policy; the others are"
    " explained all the same.",
    "3": "`rollback`: no answer came, so that it is unknown whether the spec was changed.",
}

SETTING_ERRORS: Final = {
    "NoCluster": "neither a ServiceAccount token nor a kubeconfig was found",
    "BadKubeconfig": "the kubeconfig cannot be read or used",
    "BadCaFile": "`--ca-file` is not a readable PEM file of certificates",
    "BadProxy": "`HTTPS_PROXY` or `HTTP_PROXY` is not the URL of a proxy that can be used",
    "BadNoProxy": "an entry of `NO_PROXY` is neither a host, a domain, an address nor a network",
    "NoLeaseNamespace": "`--leader-elect` outside of a Pod without `--lease-namespace`",
    "ListenFailed": "the address of `--listen` or `--hints-listen` cannot be used",
    "HintsInsecure": "`--hints-listen` has neither a certificate nor `--hints-insecure`",
    "BadHintsCertificate": "`--hints-cert` and `--hints-key` are not a certificate and its key, or one of them lacks",
    "NoPodIP": "`--hints-service` without `--pod-ip`",
}
"""Reasons that end the process instead of standing in a condition."""

REFUSALS: Final = {
    "NoSuchPolicy": "there is no policy of that name in that namespace",
    "NoSuchRevision": "there is no such revision; those that there are, are listed",
    "NothingToDo": "the spec is that of the revision already",
    "Changed": "somebody changed the policy meanwhile; look at it, and try again",
    "NotAccepted": "the API server does not accept the spec of that revision any more; what it says is shown",
}
"""Reasons for which `revisions` and `rollback` end with code 1."""

WAITS: Final = (
    "The API server does not answer, or does not accept the credentials.",
    "The CustomResourceDefinition is not installed.",
    "The account lacks permissions; the line lists each of them.",
)


def build_flags_page() -> str:
    """Return the page."""
    return page(
        "Commands, flags and exit codes",
        "operator/providerswitch/controller/settings.py",
        "`providerswitch run` runs the operator; `python -m providerswitch run` is the same. `providerswitch classify` "
        "reads saved answers on standard input and prints what they mean; the"
        " [guide](../guide.md#what-an-answer-means-classify) shows it. `providerswitch explain [--output text|json]"
        " [FILE]` reads policies as `kubectl get pswitch -o yaml` prints them, and"
        " [tells why](../guide/resilience.md#why-is-this-provider-active-explain) each provider is active. "
        "`providerswitch revisions POLICY [-o table|json|yaml | --diff N]` lists the configurations of a policy in your"
        " cluster, and `providerswitch rollback POLICY [--to-revision N] [--dry-run]`"
        " [returns to one](../guide/rollback.md); both take `--kubeconfig`, `--context` and `--namespace`. "
        "`providerswitch --version` prints the version.",
        section(
            "Flags of run",
            "A flag wins over its environment variable. A malformed variable is refused like a malformed flag.",
            table(("flag", "variable", "default", "meaning"), [_row(*flag[:3], flag[3]) for flag in FLAGS]),
        ),
        section("Exit codes", table(("code", "meaning"), list(EXIT_CODES.items()))),
        section(
            "Settings that end the process",
            "These end `run` with code 1 and one line on standard error, because waiting would not mend them:",
            bullets(f"{meaning}." for meaning in SETTING_ERRORS.values()),
        ),
        section(
            "Why a command is refused",
            "These end `revisions` and `rollback` with code 1 and one line, as does a right that lacks:",
            bullets(f"{meaning}." for meaning in REFUSALS.values()),
        ),
        section(
            "What is waited for",
            "These are logged once each and tried again every 2 s, because in a rollout they may come after the"
            " operator. Meanwhile `/readyz` answers 503:",
            bullets(WAITS),
        ),
    )


def _row(name: str, variable: str, otherwise: str | None, options: dict[str, object]) -> tuple[str, ...]:
    choices = options.get("choices")
    metavar = options.get("metavar") or "|".join(choices if isinstance(choices, tuple) else ())
    return code(f"{name} {metavar}"), code(variable), code(otherwise or ""), str(options["help"])
