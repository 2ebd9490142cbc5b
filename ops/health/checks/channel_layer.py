import asyncio
import secrets

from channels.layers import get_channel_layer

from ops.health.check import Finding, check

ROUND_TRIP_SECONDS = 1.5


@check("channel_layer", order=4)
def check_channel_layer() -> Finding:
    asyncio.run(send_and_receive())
    return Finding(message="a message went round")


async def send_and_receive() -> None:
    layer, message = get_channel_layer(), {"type": "health.probe", "number": secrets.randbits(32)}
    try:
        async with asyncio.timeout(ROUND_TRIP_SECONDS):
            channel = await layer.new_channel("health.")
            await layer.send(channel, message)
            if await layer.receive(channel) != message:
                raise ConnectionError("another message came back")
    finally:
        await layer.flush()
