"""From what coding agents tell by OpenTelemetry to their model calls. Pure."""
