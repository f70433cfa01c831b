"""What draws of a platform's processes amount to: uploads, hours and cumulative public totals, whole and by class of length."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from moat.uncertainty.seeds import Floats
from moat.volume.accumulate import public_total
from moat.volume.processes import Loss
from moat.volume.uploads import DURATION, EARLY, HAZARD, RATE, SECONDS_PER_HOUR, USERS, Platform


class Volumes(NamedTuple):
    """What one platform's draws amount to, each of shape (T, n), in float64."""

    uploads_per_day: Floats
    mean_duration_seconds: Floats
    upload_hours_per_day: Floats
    stock_videos: Floats
    stock_hours: Floats


def volumes(draws: Mapping[str, Floats], platform: Platform, loss: Loss) -> dict[str, Volumes]:
    """Return uploads, hours and cumulative public totals of a platform, first, and of each further class of length, by key.

    Hours are uploads times seconds in each draw; the platform's are sums over its classes. A class has the months from its own start.
    """
    found = {item.key: _of_length(draws, platform, item, loss) for item in (platform, *platform.lengths)}
    if platform.lengths:
        whole = found[platform.key]
        for item in platform.lengths:
            begin = item.launched - platform.launched
            for name in ("uploads_per_day", "upload_hours_per_day", "stock_videos", "stock_hours"):
                getattr(whole, name)[begin:] += getattr(found[item.key], name)
        seconds = np.divide(
            whole.upload_hours_per_day * SECONDS_PER_HOUR, whole.uploads_per_day,
            out=whole.mean_duration_seconds, where=whole.uploads_per_day > 0,
        )  # fmt: skip
        found[platform.key] = whole._replace(mean_duration_seconds=seconds)
    return found


def _of_length(draws: Mapping[str, Floats], platform: Platform, item: Platform, loss: Loss) -> Volumes:
    """Return the volumes of one class of length of a platform, in the months from its start."""
    suffix = platform.suffixes[item.key]
    uploads = np.exp(draws[USERS][item.launched - platform.launched :] + draws[RATE + suffix])
    if platform.ended is not None:
        uploads[platform.ended - item.launched :] = 0.0
    duration = np.exp(draws[DURATION + suffix])
    hours = uploads * duration / SECONDS_PER_HOUR
    return Volumes(uploads, duration, hours, *(_public(added, draws, suffix, loss) for added in (uploads, hours)))


def _public(added: Floats, draws: Mapping[str, Floats], suffix: str, loss: Loss) -> Floats:
    """Return what is public of additions per day, shape (T, n), with the losses of one class of length."""
    early, hazard = loss.early.at(draws[EARLY + suffix][0]), loss.hazard.at(draws[HAZARD + suffix][0])
    return public_total(added, early_loss=early, late_hazard=hazard, early_months=loss.early_months)


def part_volumes(
    whole: Volumes, platform: Platform, part: Platform, share: Floats, seconds: Floats, draws: Mapping[str, Floats], loss: Loss
) -> Volumes:
    """Return the volumes of a part of a platform: a share of its uploads, of a length of its own.

    Args:
        whole: Of the platform, each of shape (T, n).
        platform: The platform.
        part: The part; its months are cut from the platform's.
        share: Share of uploads, shape (n,).
        seconds: Mean length, shape (n,).
        draws: Of the platform's processes, for its losses.
        loss: How months fade.
    """
    uploads = whole.uploads_per_day[part.launched - platform.launched :] * share
    hours = uploads * seconds / SECONDS_PER_HOUR
    duration = np.array(np.broadcast_to(seconds, uploads.shape))
    return Volumes(uploads, duration, hours, *(_public(added, draws, "", loss) for added in (uploads, hours)))
