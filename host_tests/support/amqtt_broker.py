# A second broker that is not Mosquitto: amqtt, in a thread of the test's own process.
import asyncio
import threading

from .broker import free_port

_START_S = 10


class AmqttBroker:
    """Listens on 127.0.0.1, lets in who has a user name; it forgets all when it is closed."""

    def __init__(self):
        self.host = "127.0.0.1"
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._broker = None

    def start(self):
        # Here, so that Python 3.9, for which there is no amqtt, can read this file.
        from amqtt.broker import Broker

        self._thread.start()

        async def start():
            self._broker = Broker({
                "listeners": {"default": {"type": "tcp", "bind": f"{self.host}:{self.port}"}},
                "plugins": {  # by its name: anybody who has one
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": False},
                },
            })
            await self._broker.start()

        self._run(start())
        return self

    def close(self):
        if self._broker:
            self._run(self._broker.shutdown())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def _run(self, coroutine):
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_START_S)
