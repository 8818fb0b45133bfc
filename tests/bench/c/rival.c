/* rival IFACE VERSION INTERVAL_US VRID PRIORITY SRC NET ROUNDS down|zero LIMIT_MS
 *
 * An Active that comes and goes. In each round it sends three adverts and falls silent (`zero`: the
 * third has priority 0), waits for the first advert of the router under test, and prints the
 * nanoseconds between its own last advert on the wire and that one, by the kernel's clock. */
#include <poll.h>

#include "vrrp.h"

static int64_t next_advert(struct wire *wire, int vrid, int own, int64_t limit)
{
	uint8_t f[256];
	char control[128];
	struct sockaddr_ll from;

	for (;;) {
		struct iovec vector = {f, sizeof f};
		struct msghdr message = {&from, sizeof from, &vector, 1, control, sizeof control, 0};
		struct pollfd poll_fd = {wire->fd, POLLIN, 0};
		int64_t left = limit - clock_ns(CLOCK_MONOTONIC);

		if (left <= 0 || poll(&poll_fd, 1, left / 1000000 + 1) <= 0) {
			fprintf(stderr, "waited in vain for %s advert of VRID %d\n", own ? "my own" : "an", vrid);
			exit(1);
		}
		if (recvmsg(wire->fd, &message, 0) < 0)
			fail("recvmsg");
		if (own == (from.sll_pkttype == PACKET_OUTGOING) && f[35] == vrid)
			return stamp_of(&message);
	}
}

/* A socket never hears what it sends itself, so `out` sends and `wire` hears. */
static int64_t say(struct wire *out, struct wire *wire, const struct advert *advert, int64_t limit)
{
	uint8_t f[128];
	size_t len = advert_write(f, out->mac, advert);

	if (sendto(out->fd, f, len, 0, (struct sockaddr *)&out->to, sizeof out->to) < 0)
		fail("sendto");
	return next_advert(wire, advert->vrid, 1, limit);
}

int main(int argc, char **argv)
{
	if (argc != 11)
		return fprintf(stderr, "usage: see rival.c\n"), 2;
	struct wire wire = wire_open(argv[1], ETH_P_ALL), out = wire_open(argv[1], 0);
	struct advert advert = {atoi(argv[2]), atoi(argv[4]), atoi(argv[5]), atol(argv[3]),
				inet_addr(argv[6]), vip_of(argv[7], atoi(argv[4]))};
	int priority = advert.priority, rounds = atoi(argv[8]), timer = timer_new();
	int zero = !strcmp(argv[9], "zero");
	int64_t limit = atol(argv[10]) * 1000000LL, interval = advert.interval_us * 1000LL;

	srand(1);
	wire_filter(wire.fd, 0);
	wire_stamps(wire.fd);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int round = 0; round < rounds; round++) {
		/* A random phase, so that nobody's tick agrees with ours by chance. */
		int64_t at = clock_ns(CLOCK_MONOTONIC) + interval + rand() % 10000 * (interval / 10000);
		int64_t last = 0;

		for (int i = 0; i < 3; i++, at += interval) {
			timer_wait(timer, at);
			advert.priority = zero && i == 2 ? 0 : priority;
			last = say(&out, &wire, &advert, at + SECOND);
		}
		printf("%lld\n", (long long)(next_advert(&wire, advert.vrid, 0, at + limit) - last));
	}
	return 0;
}
