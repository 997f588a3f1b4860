"""The followers of landing's commits; every worker runs each class that is named here."""

from __future__ import annotations

from beam_jobs.followers.follower import Follower
from beam_jobs.followers.online_push import OnlinePush
from beam_jobs.followers.windows.follower import CountWindows

FOLLOWERS: tuple[type[Follower], ...] = (OnlinePush, CountWindows)
