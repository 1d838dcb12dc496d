"""Results of commands on signals and drafts that are not those of the rules."""

from __future__ import annotations

import orjson

from schemas.topics import RESULTS
from tests.unit.audit.machine import Machine, make_id
from tests.unit.audit.planting import Plants, row_of
from tests.unit.audit.signal_story import CARA, TALK

PLANTS = Plants()


@PLANTS.add("A2", "recorded as applied, the rules say rejected (signal_not_found)", "A1")
def _refused_fix_reported_as_applied(m: Machine) -> None:
    m.change(RESULTS, m.find(RESULTS, ce_causationid="fix-half"), outcome="applied", problem=None)


@PLANTS.add("A2", "rejected as signal_of_other_interaction, the rules say signal_not_found")
def _rejected_by_another_name(m: Machine) -> None:
    problem = {"code": "signal_of_other_interaction"}
    m.change(RESULTS, m.find(RESULTS, ce_causationid="fix-half"), problem=problem)


@PLANTS.add("A2", "a signal was refused as existing though there is none")
def _refused_though_the_id_is_free(m: Machine) -> None:
    problem = {"code": "signal_exists"}
    at = m.find(RESULTS, ce_causationid="only-signal.record")
    m.change(RESULTS, at, outcome="rejected", problem=problem)


@PLANTS.add("A2", "signalId missing")
def _dry_run_without_its_signal(m: Machine) -> None:
    m.change(RESULTS, m.find(RESULTS, ce_causationid="only-signal.reopen"), signalId=None)


@PLANTS.add("A2", "signalId missing")
def _result_without_its_signal(m: Machine) -> None:
    m.change(RESULTS, m.find(RESULTS, ce_causationid="update-promise"), signalId=None)


@PLANTS.add("A2", "draftId missing")
def _needless_resolve_without_its_draft(m: Machine) -> None:
    at = next(
        at for at, record in enumerate(m.topics[RESULTS])
        if (value := orjson.loads(record.value or b""))["outcome"] == "no_op"
        and value["commandType"] == "customers.signal.resolve"
    )  # fmt: skip
    m.change(RESULTS, at, draftId=None)


@PLANTS.add("A2", "invalidates are not the tags")
def _result_without_a_tag(m: Machine) -> None:
    at = m.find(RESULTS, ce_causationid="edit-draft")
    tags = orjson.loads(m.topics[RESULTS][at].value or b"")["invalidates"]
    m.change(RESULTS, at, invalidates=tags[1:])


@PLANTS.add("A2", "invalidates are not the tags")
def _deletion_without_the_tags_of_its_drafts(m: Machine) -> None:
    at = m.find(RESULTS, ce_causationid="delete-lost")
    tags = orjson.loads(m.topics[RESULTS][at].value or b"")["invalidates"]
    m.change(RESULTS, at, invalidates=[tag for tag in tags if ":draft:" not in tag])


@PLANTS.add("A2", "version 2, the rules say")
def _result_reuses_a_version(m: Machine) -> None:
    m.change(RESULTS, m.find(RESULTS, ce_causationid="update-promise"), version=2)


@PLANTS.add("A14", "a result reports a signal as saved that does not exist", "A1", "A2")
def _refused_recording_reported_as_saved(m: Machine) -> None:
    at = m.find(RESULTS, ce_causationid="record-lost")
    version = row_of(m, "customer_entities", CARA)["entity_version"] + 1
    m.change(RESULTS, at, outcome="applied", problem=None, signalId=make_id("unsaved"), version=version,
             entityVersion=version)  # fmt: skip


@PLANTS.add("A14", "a result reports a draft as saved that does not exist", "A2")
def _saved_draft_is_nowhere(m: Machine) -> None:
    m.change(RESULTS, m.find(RESULTS, ce_causationid="redo-attach"), draftId=make_id("unsaved"))


@PLANTS.add("A14", "of a row that is at version", "A2")
def _change_reported_as_saved_is_not_in_the_row(m: Machine) -> None:
    at = m.find(RESULTS, ce_causationid="name-person")
    m.change(RESULTS, at, version=99)


@PLANTS.add(
    "A14", "a result reports an interaction as saved that does not exist", "A2", "A3", "A4", "A8", "A13"
)
def _saved_interaction_is_nowhere(m: Machine) -> None:
    m.tables["customer_interactions"].remove(row_of(m, "customer_interactions", TALK))
