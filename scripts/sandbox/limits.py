"""What the platform grants a task at most: flyteadmin's defaults, which its chart leaves as they are.

Source: flyteadmin `runtime/task_resource_provider.go`.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyteidl.core.tasks_pb2 import Resources

LIMITS: Mapping[int, str] = {Resources.CPU: "2", Resources.MEMORY: "1Gi", Resources.GPU: "1"}
MAX_NODES = 100
"""The most nodes of one static workflow (`runtime/registration_validation_provider.go`)."""
