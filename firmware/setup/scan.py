# Which networks there are, for whoever sets a node up.
import network

from ..log import plain


def scan():
    """[(ssid, rssi_dbm, whether it needs a password)], the strongest first, each name once.

    Nothing else happens meanwhile, for 2 s; `Wifi` must be paused. OSError comes from the driver.
    """
    found = {}
    for entry in network.WLAN(network.STA_IF).scan():
        try:
            ssid = str(entry[0], "utf-8")
        except UnicodeError:
            continue  # no setting could name it
        if ssid and plain(ssid) == ssid and (
                ssid not in found or entry[3] > found[ssid][0]):  # hidden ones have no name
            found[ssid] = entry[3], entry[4] != 0
    return sorted([(ssid,) + found[ssid] for ssid in found], key=lambda item: -item[1])
