"""The ops side: metrics, status and health for those who look after the service. Shows what `telemetry` holds."""
