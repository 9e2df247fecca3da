"""A release of a few entities without the execution that makes one, which starts a pod for each of its steps.

What a promotion goes by is real: the manifest, the package and the bundle in Flyte's storage. Made up is the
execution that says where the manifest is, put straight into a sandbox's database.
"""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Sequence
from pathlib import Path

from flyteidl.admin.execution_pb2 import Execution
from flyteidl.admin.node_execution_pb2 import NodeExecution
from flyteidl.core.execution_pb2 import NodeExecution as Node
from flyteidl.core.execution_pb2 import WorkflowExecution

from scripts.sandbox.clock import to_text
from tasks._entities import Entity
from tasks._home import Home
from tasks._names import plan_name, release_tag, target_tag
from tasks._protos import digest, read_archive
from tasks._storage import sum_file, upload
from tasks._typed import literals
from tasks._types import Image, Revision, Status, Verdict
from tasks.make_release import store
from tasks.manifest import Manifest, StoredFile, StoredManifest
from tasks.releases import NODE, Released
from tests.running import Sandbox
from tests.unit.entities import a_plan, a_task, a_workflow

REFERENCE = "registry.example.com/fraud@sha256:" + "00" * 32
_NOTHING = "sha256:" + "00" * 32
_MADE_AT = 1_760_000_000


def package(folder: Path, plans: Sequence[str]) -> tuple[Path, list[Entity]]:
    """Write an archive as `pyflyte package` does: one task, one workflow, and launch plans of it."""
    made: list[Entity] = [a_task("fraud.fit"), a_workflow("fraud.train", tasks=["fraud.fit"])]
    for entity in made:
        entity.message.template.interface.SetInParent()
        entity.message.template.metadata.SetInParent()
    made += [a_plan(name, "fraud.train") for name in plans]
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for number, entity in enumerate(made, 1):
            content = entity.message.SerializeToString()
            member = tarfile.TarInfo(f"{number}_{entity.name}_{number}.pb")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path, read_archive(path)


def make_manifest(home: Home, repository: str, sha: str, folder: Path, plans: Sequence[str]) -> Manifest:
    """Put a package and a bundle into the storage of Taxiway's Flyte; return the manifest of them."""
    archive, entities = package(folder, plans)
    bundle = folder / "code.tar.gz"
    bundle.write_bytes(f"the code of {sha}".encode())

    def kept(file: Path) -> str:
        return upload(home.flyte, file, project=home.project, domain=home.domain, root=f"made-{sha[:8]}")

    return Manifest(
        target=home.target,
        revision=Revision(repository=repository, sha=sha),
        version=sha,
        image=Image(reference=REFERENCE, fingerprint=_NOTHING),
        bundle=StoredFile(uri=kept(bundle), digest=f"sha256:{sum_file(bundle).sha256}", entries=1),
        package=StoredFile(uri=kept(archive), digest=digest(entities), entries=len(entities)),
        destination=".",
        policy=_NOTHING,
        created="2026-03-01T00:00:00+00:00",
    )


def write_release(sandbox: Sandbox, home: Home, manifest: Manifest, folder: Path) -> StoredManifest:
    """Keep a manifest, and record it as what an execution of the target's release flow made."""
    stored = store(home, manifest)
    passed = Verdict(status=Status.PASSED, summary="released")
    outputs = folder / "released.pb"
    released = Released(package=passed, admission=passed, verdict=passed, stored=stored)
    outputs.write_bytes(literals({"o0": released}).SerializeToString())
    name, plan, sha = f"release-{manifest.version[:8]}", plan_name("release", home.target), manifest.version
    execution = Execution(id=home.identifier(name))
    execution.spec.launch_plan.name = plan
    execution.closure.phase = WorkflowExecution.SUCCEEDED
    execution.closure.created_at.FromSeconds(_MADE_AT)
    node = NodeExecution()
    node.id.node_id = NODE
    node.id.execution_id.CopyFrom(execution.id)
    node.closure.phase = Node.SUCCEEDED
    node.closure.output_uri = outputs.as_uri()
    at = to_text(execution.closure.created_at.ToDatetime())
    key = (home.project, home.domain, name)
    tags = [(*key, tag) for tag in (target_tag(home.target), release_tag(home.target, sha))]
    run = (*key, plan, "workflows.release.release", "v", execution.closure.phase, 0)
    database = sqlite3.connect(sandbox.state / "flyte.db", timeout=30)
    with database:
        database.execute(
            "INSERT INTO executions (project, domain, name, launch_plan, workflow, version, phase, mode,"
            " message, closure, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*run, execution.SerializeToString(), b"", at, at),
        )
        database.executemany("INSERT INTO execution_tags VALUES (?, ?, ?, ?, '')", tags)
        database.execute(
            "INSERT INTO node_executions (project, domain, execution, node_id, spec_node_id, kind, phase,"
            " message, data_dir, created_at, updated_at) VALUES (?, ?, ?, ?, ?, 'task', ?, ?, '', ?, ?)",
            (*key, NODE, NODE, node.closure.phase, node.SerializeToString(), at, at),
        )
    database.close()
    return stored
