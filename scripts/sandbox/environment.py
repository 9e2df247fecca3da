"""The environment of a task's container: what Flyte puts in, in its order, and what the machine adds.

Source: flyteplugins `flytek8s/k8s_resource_adds.go`. The template's own variables come first; since the
last of two equal names wins, an execution's variables beat those of the task.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from flyteidl.core.identifier_pb2 import Identifier, WorkflowExecutionIdentifier

Variables = tuple[tuple[str, str], ...]

# What Flyte's charts set, in MB: larger literals travel as files of their own.
_OFFLOADING = (("_F_L_MIN_SIZE_MB", "10"), ("_F_L_MAX_SIZE_MB", "1000"))

# Of the machine's own environment, what a task needs to reach the network as its owner does.
_PASSED_ON = re.compile(
    r"LANG|LC_ALL|TZ|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_SSL_CAINFO"
    r"|(HTTP|HTTPS|FTP|ALL|NO)_PROXY|(http|https|ftp|all|no)_proxy|PIP_\w+|UV_\w+"
)
_BASIC_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")


def task_environment(
    *,
    template: Iterable[tuple[str, str]],
    workflow: Identifier,
    execution: WorkflowExecutionIdentifier,
    attempt: int,
    task: Identifier,
    execution_envs: Iterable[tuple[str, str]] = (),
    defaults: Iterable[tuple[str, str]] = (),
) -> Variables:
    """Return the variables that Flyte gives to one attempt, in the order of a pod's container.

    `template` is the container's own; `execution_envs` are the merged `envs` of the execution; `defaults`
    are those of the installation. `attempt` counts from 0.
    """
    return (
        *template,
        ("FLYTE_INTERNAL_EXECUTION_WORKFLOW", f"{workflow.project}:{workflow.domain}:{workflow.name}"),
        ("FLYTE_INTERNAL_EXECUTION_ID", execution.name),
        ("FLYTE_INTERNAL_EXECUTION_PROJECT", execution.project),
        ("FLYTE_INTERNAL_EXECUTION_DOMAIN", execution.domain),
        ("FLYTE_ATTEMPT_NUMBER", str(attempt)),
        ("FLYTE_INTERNAL_TASK_PROJECT", task.project),
        ("FLYTE_INTERNAL_TASK_DOMAIN", task.domain),
        ("FLYTE_INTERNAL_TASK_NAME", task.name),
        ("FLYTE_INTERNAL_TASK_VERSION", task.version),
        *_OFFLOADING,
        *execution_envs,
        *defaults,
    )


def machine_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Of the machine's environment, return the settings that every task is given, PATH among them."""
    kept = {name: value for name, value in environ.items() if _PASSED_ON.fullmatch(name)}
    return {**kept, "PATH": environ.get("PATH") or _BASIC_PATH}


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put variables in for `$(NAME)`, as Kubernetes does in words and in values.

    An unknown name stays as it is, and `$$` is one `$` (k8s.io/kubernetes, golang/expansion).
    """

    def value(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else variables.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


def resolve(variables: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Make one mapping of them: of equal names the last wins, `$(NAME)` refers to those before."""
    resolved: dict[str, str] = {}
    for name, value in variables:
        resolved[name] = expand(value, resolved)
    return resolved
