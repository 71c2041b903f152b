# Connects to a server without ever waiting, for what needs one now and then. (The broker's line,
# mqtt/line.py, does it in steps of its own: it has to tell and to time each of them.)
import errno
import select
import socket


def dial(host, port, resolver, wait):
    """Returns a connected socket that does not block; for `yield from`. Raises OSError.

    Yields wait(ip) as long as there is nothing else to do; ip: that of the host as text, None as
    long as it is looked up. Whatever `wait` raises is the end of it. resolver: `Resolver`.
    """
    lookup = resolver.lookup(host)
    try:
        ip = lookup.poll()
        while ip is None:
            yield wait(None)
            ip = lookup.poll()
    finally:
        lookup.close()
    lookup = None  # it keeps its code in memory
    s = socket.socket()
    try:
        s.setblocking(False)
        poll = select.poll()
        poll.register(s, select.POLLOUT)
        try:
            s.connect(socket.getaddrinfo(ip, port)[0][-1])
        except OSError as e:
            if e.errno not in (errno.EINPROGRESS, errno.EAGAIN):
                raise
        ready = poll.poll(0)
        while not ready:
            yield wait(ip)
            ready = poll.poll(0)
        poll.unregister(s)
        if ready[0][1] & (select.POLLERR | select.POLLHUP):
            s.readinto(bytearray(1))  # raises what it was, as a rule
            raise OSError(errno.ECONNREFUSED)
    except BaseException:  # also when it is stopped from outside
        s.close()
        raise
    return s
