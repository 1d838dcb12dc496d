"""Run one audit: all passes over one history, in dependency order."""

from __future__ import annotations

from audit.audit_inputs import AuditInputs
from audit.dead_letters import COMMANDS, read_dead_letters
from audit.dictionary_pass import check_dictionary
from audit.erasure_pass import check_erasures
from audit.event_pass import EVENTS, read_events
from audit.findings import Report
from audit.flags_pass import check_flags
from audit.fold import Fold
from audit.history import History
from audit.ledger import read_ledger
from audit.publication_pass import read_publications
from audit.results_pass import RESULTS, read_results
from audit.signals.tables_pass import read_child_tables
from audit.state_pass import check_states
from audit.tables_pass import read_tables
from audit.watermark_pass import read_watermark


def audit(history: History) -> Report:
    """Check every invariant on a history; read-only."""
    report = Report()
    for topic in (COMMANDS, RESULTS, EVENTS):
        if history.cut.is_truncated(topic):
            report.note(f"retention has removed the oldest records of {topic}: only the rest is checked")
    watermark = read_watermark(history, report)
    ledger = read_ledger(history.rows("journal"), watermark, report)
    events = read_events(history, ledger, report)
    inputs = AuditInputs(
        history=history,
        report=report,
        watermark=watermark,
        ledger=ledger,
        results=read_results(history, watermark, report),
        events=events,
        publications=read_publications(history, events, report),
        dead_letters=read_dead_letters(history, report),
    )
    fold = Fold(inputs)
    fold.run()
    tables = read_tables(history, fold, events, report)
    read_child_tables(history, tables, fold, events, report)
    erased = check_erasures(history, fold, report)
    inputs.results.saved.check_missing(events, inputs.publications, erased, report.checks["A14"])
    check_dictionary(history, tables, fold, report)
    check_flags(history, fold, report)
    check_states(history, tables, inputs.publications, report)
    report.counts = {
        "logRows": len(ledger),
        "results": len(inputs.results),
        "events": len(events.ids),
        "interactions": len(tables.shapes),
        "entities": len(tables.versions),
        "signals": len(tables.signals),
        "drafts": len(tables.drafts),
        "deadLetters": len(inputs.dead_letters),
    }
    return report
