"""One sample on its way: protection, energy, backlog, telemetry, for one channel and for three."""

from firmware.metering import Metering


class Reading:
    def __init__(self, name):
        self.name = name
        self.energy_wh = None


class Sampler:
    """Gives the samples of a list, one at each poll; counts as the real one."""

    def __init__(self, *samples):
        self._samples = list(samples)
        self.polls = self.all_good = 0
        self.good = [0] * len(samples[0])
        self.ok = [True] * len(samples[0])

    def poll(self, now_ms):
        sample = self._samples.pop(0) if self._samples else None
        if sample is not None:
            self.polls += 1
            self.all_good += None not in sample
            for channel, reading in enumerate(sample):
                self.good[channel] += reading is not None
        return sample


class Listener:
    """Stands for protection, energy, backlog and reporters: one trail of what they are told."""

    def __init__(self, trail, name):
        self._trail = trail
        self._name = name

    def sample(self, *told):
        if self._name == "protection":
            self._trail.append((self._name, names(told[0]), list(told[1])))
        else:
            self._trail.append((self._name, told[0], told[1].name, told[2], told[3]))

    def update(self, now_ms, readings):
        self._trail.append((self._name, names(readings)))

    def reading(self, reading, now_ms, good, polls):
        self._trail.append((self._name, reading.name, good, polls))

    def force(self):
        self._trail.append((self._name, "force"))


def names(readings):
    return [reading and reading.name for reading in readings]


def total(readings):
    return None if None in readings else Reading("total")


def metering(trail, sampler, channels, protection=True):
    reporters = [Listener(trail, "report %d" % i) for i in range(channels)]
    return Metering(sampler, Listener(trail, "energy"),
                    Listener(trail, "protection") if protection else None,
                    Listener(trail, "backlog"), reporters, total if channels > 1 else None)


def test_one_channel_in_the_order_of_who_cannot_wait():
    trail = []
    metering(trail, Sampler((Reading("r"),)), 1).tick(0)
    assert trail == [
        ("protection", ["r"], [True]), ("energy", ["r"]), ("backlog", 0, "r", 1, 1),
        ("report 0", "r", 1, 1)]


def test_a_missed_sample_is_for_protection_and_energy_only():
    trail = []
    metering(trail, Sampler((None,)), 1).tick(0)
    assert trail == [("protection", [None], [True]), ("energy", [None])]


def test_between_samples_nothing_happens():
    trail = []
    one = metering(trail, Sampler((Reading("r"),)), 1)
    one.tick(0)
    del trail[:]
    one.tick(10)
    assert trail == []


def test_three_phases_after_their_total():
    trail = []
    sample = (Reading("a"), Reading("b"), Reading("c"))
    metering(trail, Sampler(sample), 4, protection=False).tick(0)
    assert trail[1:] == [
        ("backlog", 0, "total", 1, 1), ("report 0", "total", 1, 1),
        ("backlog", 1, "a", 1, 1), ("report 1", "a", 1, 1),
        ("backlog", 2, "b", 1, 1), ("report 2", "b", 1, 1),
        ("backlog", 3, "c", 1, 1), ("report 3", "c", 1, 1)]


def test_without_one_phase_there_is_no_total_and_its_quality_falls():
    trail = []
    three = metering(trail, Sampler((Reading("a"), None), (Reading("a"), Reading("b"))), 3)
    three.tick(0)
    assert [told for told in trail if told[0].startswith("report")] == [("report 1", "a", 1, 1)]
    del trail[:]
    three.tick(10)
    assert [told for told in trail if told[0].startswith("report")] == [
        ("report 0", "total", 1, 2), ("report 1", "a", 2, 2), ("report 2", "b", 1, 2)]


def test_everything_is_told_anew_when_asked_for():
    trail = []
    metering(trail, Sampler((None, None)), 3).force()
    assert trail == [("report 0", "force"), ("report 1", "force"), ("report 2", "force")]
