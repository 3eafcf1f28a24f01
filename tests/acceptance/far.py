"""A stage whose service reaches its database through a proxy."""

from __future__ import annotations

from fsgov.demo.stage import Stage
from fsgov.embedded import Joined
from tests.parts.proxy import Proxy


class Far(Stage):
    """`wire` is the proxy; whoever makes the stage sets it before the switch starts."""

    wire: Proxy

    def start_switch(self, *arguments: str) -> None:
        super().start_switch(*arguments)
        text = self.site.service.read_text()
        near, far = f"embedded:{self.site.database}", f"postgresql://127.0.0.1:{self.wire.port}/fsgov"
        assert near in text
        self.site.service.write_text(text.replace(near, far))

    @property
    def server(self) -> Joined:
        assert self.database is not None
        return self.database
