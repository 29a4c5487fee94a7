"""Workers: processes that do the work of another, on this machine or on a Ray cluster."""

from supernet.workers._protocol import Died, Done, Outcome, Ready, Team, Workers
from supernet.workers.crew import Crew
from supernet.workers.local import Local
from supernet.workers.named import workers_of
from supernet.workers.on_ray import Ray
from supernet.workers.work import Work

__all__ = ["Crew", "Died", "Done", "Local", "Outcome", "Ray", "Ready", "Team", "Work", "Workers", "workers_of"]
