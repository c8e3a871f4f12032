"""Metrics and /proc are read right."""

import os
import time

from tests.bench.shared import machine, samples

EXPOSITION = """\
# TYPE apiserver_request_total counter
apiserver_request_total{resource="configmaps",verb="APPLY",code="200"} 3
apiserver_request_total{resource="configmaps",verb="LIST",code="200"} 50
apiserver_request_total{resource="leases",verb="PUT",code="200"} 7
apiserver_request_total{resource="events",verb="POST",code="201"} 2
"""


def test_only_samples_with_all_the_labels_count() -> None:
    found = samples.parse_samples(EXPOSITION)

    assert (
        samples.total(found, "apiserver_request_total", verb=("APPLY", "POST"), resource=("configmaps", "events")) == 5
    )
    assert samples.total(found, "apiserver_request_total", resource="leases") == 7


def test_a_metric_that_is_not_there_sums_to_nothing() -> None:
    assert samples.total(samples.parse_samples(EXPOSITION), "other_total") == 0


def test_cpu_time_is_read_past_a_name_with_spaces_and_brackets() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    stat = f"42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 {3 * ticks} {ticks // 2} 0 0 20 0 1 0 100 0 0"

    assert machine.parse_cpu_seconds(stat) == 3.5


def test_cpu_time_of_this_process_is_what_python_says() -> None:
    assert abs(machine.cpu_seconds(os.getpid()) - time.process_time()) < 0.5


def test_memory_is_told_in_mib() -> None:
    assert machine.parse_rss_mib("Name:\tpython\nVmHWM:\t 9 kB\nVmRSS:\t  2048 kB\n") == 2
