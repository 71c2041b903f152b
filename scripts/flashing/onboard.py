"""The MicroPython code that runs on the board. Names are short: a line has 11 KB/s.

Paths are relative: the board's current folder is its root.
"""

# What the board is; romfs: bytes of its ROMFS partition. A node's watchdog runs on in the REPL; it
# cannot be stopped, but it can be made patient. Should nobody come back, it restarts the node.
PROBE = """
import sys,os,json
if sys.platform!="esp8266" and "boot.py" in os.listdir():
 import machine
 machine.WDT(timeout=600000)
p=sys.path[:]
sys.path[:]=[".frozen"]
try:
 import umqtt.robust
 f=True
except ImportError:
 f=False
sys.path[:]=p
r=0
try:
 import vfs
 if hasattr(vfs,"rom_ioctl") and vfs.rom_ioctl(1)>0:
  d=vfs.rom_ioctl(2,0)
  r=d.ioctl(4,0)*d.ioctl(5,0) if hasattr(d,"ioctl") else len(d)
except ImportError:
 pass
s=os.statvfs(".")
i=sys.implementation
print(json.dumps({"platform":sys.platform,"version":list(i.version)[:3],
 "machine":getattr(i,"_machine",""),"mpy":getattr(i,"_mpy",0),
 "umqtt":f,"romfs":r,"block":s[0],"free":s[4]}))
"""

_HELP = """
import os
def have(p):
 try:
  os.stat(p)
  return True
 except OSError:
  return False
def clear(p):
 if not have(p):
  return
 if os.stat(p)[0]&0x4000:
  for n in os.listdir(p):
   clear(p+"/"+n)
  os.rmdir(p)
 else:
  os.remove(p)
"""

# Brings what an interrupted switch has left to where it belongs; see `switch`.
REPAIR = _HELP + """
if have("lib/firmware"):
 if have("firmware"):
  clear("firmware.new")
  os.rename("lib/firmware","firmware.new")
 else:
  os.rename("lib/firmware","firmware")
clear("firmware.old")
"""

# A line with the configuration as a JSON string, or null.
READ_CONFIG = """
import json
try:
 with open("config.json") as f:
  print(json.dumps(f.read()))
except (OSError,ValueError):
 print("null")
"""


def hashes(roots):
    """Code that prints the hash and path of each file in these folders, and of these files."""
    return """
import os
from hashlib import sha256
from binascii import hexlify
b=memoryview(bytearray(512))
def walk(p):
 if os.stat(p)[0]&0x4000:
  for n in os.listdir(p):
   walk(p+"/"+n)
  return
 h=sha256()
 with open(p,"rb") as f:
  while 1:
   n=f.readinto(b)
   if not n:
    break
   h.update(b[:n])
 print(str(hexlify(h.digest()[:16]),"ascii"),p)
for r in %r:
 try:
  os.stat(r)
 except OSError:
  continue
 walk(r)
""" % (list(roots),)


def rom_hash(size):
    """Code that prints the hash of so many bytes of the ROMFS partition."""
    return """
import vfs
from hashlib import sha256
from binascii import hexlify
m=memoryview(vfs.rom_ioctl(2,0))[:%d]
h=sha256()
for i in range(0,len(m),1024):
 h.update(m[i:i+1024])
print(str(hexlify(h.digest()[:16]),"ascii"))
""" % size


# A node whose ROMFS is half written must not run: without main.py it stays at its prompt, its
# relays as boot.py has left them. Its successor waits as main.py.new for the switch.
HOLD = _HELP + """
clear("main.py")
"""


def make_room(drop, folders):
    """Code that removes files and makes folders (parents first)."""
    return _HELP + """
for p in %r:
 clear(p)
for p in %r:
 if not have(p):
  os.mkdir(p)
""" % (list(drop), list(folders))


def duplicate(pairs):
    """Code that copies files on the board: (from, to)."""
    return """
b=memoryview(bytearray(512))
for s,t in %r:
 with open(s,"rb") as f:
  with open(t,"wb") as g:
   while 1:
    n=f.readinto(b)
    if not n:
     break
    g.write(b[:n])
""" % (list(pairs),)


def switch(files, stale, application, in_rom=False):
    """Code that puts what lies ready in place of what runs.

    files: paths with a `.new` beside them, in this order, but main.py last of all; stale: paths to
    remove; application: whether `firmware.new` is to replace `firmware`; in_rom: the application
    lies in ROMFS, complete, and a `firmware` in the file system would hide it.

    A folder cannot be renamed onto another, but an import looks into the root first and then
    into lib/: so the new application waits hidden there, and one rename, of the old one, is the
    moment from which on it runs. Slots would hide it, so at last their state says that the
    application beside boot.py runs; should that state be lost, their seals would bring them
    back, so those go.
    """
    return _HELP + """
for p in %r:
 os.rename(p+".new",p)
for p in %r:
 clear(p)
if %r:
 if have("firmware"):
  os.rename("firmware","firmware.old")
elif %r:
 if have("firmware"):
  os.rename("firmware.new","lib/firmware")
  os.rename("firmware","firmware.old")
  os.rename("lib/firmware","firmware")
 else:
  os.rename("firmware.new","firmware")
import slots
slots.leave()
for p in ("a/seal","b/seal","a","b","firmware.old","firmware.new"):
 clear(p)
if %r:
 os.rename("main.py.new","main.py")
""" % ([path for path in files if path != "main.py"], list(stale), bool(in_rom),
       bool(application), "main.py" in files)


# A line with the password of the node's set-up network as a JSON string, which makes it if there
# is none; null where the node has no such network.
PORTAL = """
import json,sys
p=None
sys.path.insert(0,"")
try:
 from firmware.setup.access_point import password
 p=password(lambda text:None)
except Exception:
 pass
print(json.dumps(p))
"""


def set_clock(now):
    """Code that sets the clock to this time.struct_time, UTC."""
    return "import machine\nmachine.RTC().datetime(%r)" % (
        (now.tm_year, now.tm_mon, now.tm_mday, now.tm_wday, now.tm_hour, now.tm_min, now.tm_sec,
         0),)
