"""Live monitoring of somebody else's training: `watch` a model, `log` from its loop, `serve` the explorer beside it."""

from vaeviz.monitor.monitor import Monitor, MonitorWarning
from vaeviz.monitor.watch import watch

__all__ = ["Monitor", "MonitorWarning", "watch"]
