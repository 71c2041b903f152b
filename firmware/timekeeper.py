# The time where TLS is used: certificates have dates, which are checked against the chip's RTC.
from micropython import const

from . import ondemand

_SAVE_S = const(86400)


class Timekeeper:
    """Stands before `Sntp`; keeps the RTC from being far behind, and finds other ways to the time.

    At power-on the RTC says 2000, and every certificate would be "not valid yet" until a time
    server has answered. So it starts at the floor: the release of this firmware, or the last time
    that was saved. What the node tells as the time is `Clock`, which never learns it from there.

    A firewall that lets only WebSockets through often blocks NTP too. Until a time server has
    answered, the Date of each upgrade response sets the clock; only `Line` over TLS passes one
    on, since there it comes from a broker whose certificate is good.

    sntp: `Sntp`, whose `on_time` hook this takes.
    """

    def __init__(self, sntp, clock, board, log):
        self._sntp = sntp
        self._clock = clock
        self._board = board
        self._log = log
        sntp.on_time = self._answered
        self._answers = False  # a time server has answered since the start
        self._saved_s = ondemand.load("rtc_floor").raise_rtc(board, log)
        ondemand.drop("rtc_floor")

    def service(self):
        """To be called by the foreground while there is a network."""
        self._sntp.service()
        unix_s = self._clock.unix()
        if unix_s is not None and abs(unix_s - self._saved_s) >= _SAVE_S:
            self.save()

    def save(self):
        """Keep the time over a power cut, if it is known; once a day, and at a planned stop."""
        unix_s = self._clock.unix()
        if unix_s is not None:
            self._saved_s = unix_s
            ondemand.load("rtc_floor").save(unix_s, self._log)
            ondemand.drop("rtc_floor")

    def date(self, unix_s):
        """The broker says that it is `unix_s`."""
        if self._answers:
            return
        try:
            step_s = self._clock.set_unix(unix_s)
        except ValueError as e:
            self._log("time: %s, says the broker" % e)
            return
        self._board.set_rtc(unix_s)
        if step_s is None or abs(step_s) > 2:
            self._log("time: %s from the broker" % self._clock.timestamp())

    def _answered(self, unix_s):
        self._answers = True
        self._board.set_rtc(unix_s)
