"""Gauges for OpenTelemetry, where its SDK is installed and `OTEL_EXPORTER_OTLP_ENDPOINT` is set; nothing elsewhere.

The variables are those of OpenTelemetry's own specification. A task ends right after it has measured, so every call sends what it
has, and waits for that.
"""

import importlib.util
import os
from collections.abc import Iterable, Mapping

from datamoat.log import log

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SECONDS = 5.0  # how long a call waits for the collector
Gauge = tuple[str, str, float, Mapping[str, str]]  # name, unit, value, attributes


def measure(gauges: Iterable[Gauge]) -> bool:
    """Send gauges to the collector; return whether it took them; never fails.

    Args:
        gauges: Name, unit (UCUM, as OpenTelemetry has it), value and attributes of each.
    """
    if not os.environ.get(ENDPOINT) or importlib.util.find_spec("opentelemetry.sdk") is None:
        return False
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
    from opentelemetry.sdk.resources import Resource

    exporter, reader = OTLPMetricExporter(timeout=SECONDS), InMemoryMetricReader()
    provider = MeterProvider([reader], Resource.create({"service.name": "datamoat"}), shutdown_on_exit=False)
    meter = provider.get_meter("datamoat")
    try:
        for name, unit, value, about in gauges:
            meter.create_gauge(f"datamoat.{name}", unit).set(value, dict(about))
        data = reader.get_metrics_data()
        return data is not None and exporter.export(data) is MetricExportResult.SUCCESS
    except Exception as failure:  # noqa: BLE001  (a collector that is ill must not fail a build)
        log.warning("metrics", error=type(failure).__name__)
        return False
    finally:
        provider.shutdown()
        exporter.shutdown()
