/* floor IFACE VERSION INTERVAL_US VRID PRIORITY SRC NET
 *
 * The floor under every takeover: a bare program that hears an advert, sets a timerfd to
 * Active_Down_Interval (Skew_Time after priority 0) and calls sendto when it fires. */
#include <poll.h>

#include "vrrp.h"

int main(int argc, char **argv)
{
	if (argc != 8)
		return fprintf(stderr, "usage: see floor.c\n"), 2;
	struct wire wire = wire_open(argv[1], ETH_P_IP);
	struct advert advert = {atoi(argv[2]), atoi(argv[4]), atoi(argv[5]), atol(argv[3]),
				inet_addr(argv[6]), vip_of(argv[7], atoi(argv[4]))};
	int64_t interval = advert.interval_us * 1000LL;
	int64_t skew = (256 - advert.priority) * (advert.version == 3 ? interval : SECOND) / 256;
	struct pollfd fds[2] = {{wire.fd, POLLIN, 0}, {timer_new(), POLLIN, 0}};
	uint8_t mine[128], f[256];
	size_t len = advert_write(mine, wire.mac, &advert);
	uint64_t count;

	wire_filter(wire.fd, 0);
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			fail("poll");
		if (fds[1].revents) {
			if (sendto(wire.fd, mine, len, 0, (struct sockaddr *)&wire.to, sizeof wire.to) < 0)
				fail("sendto");
			if (read(fds[1].fd, &count, sizeof count) < 0)
				fail("read timerfd");
		}
		if (fds[0].revents && recv(wire.fd, f, sizeof f, 0) > 36 && f[35] == advert.vrid)
			timer_at(fds[1].fd, clock_ns(CLOCK_MONOTONIC) + (f[36] ? 3 * interval : 0) + skew);
	}
}
