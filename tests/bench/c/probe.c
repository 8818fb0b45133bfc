/* probe IFACE SRC NET COUNT MAC LIMIT_MS
 *
 * Asks by ARP for the addresses NET+1 .. NET+COUNT, again and again, one each 20 us, until each was
 * answered by MAC; fails after LIMIT_MS. */
#include <net/if_arp.h>

#include "vrrp.h"

#define GAP 20000

static void question(uint8_t *f, struct wire *wire, uint32_t src, uint32_t vip)
{
	static const uint8_t head[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};

	memset(f, 0, 60);
	memset(f, 0xff, 6);
	memcpy(f + 6, wire->mac, 6);
	memcpy(f + 12, head, sizeof head);
	memcpy(f + 22, wire->mac, 6);
	memcpy(f + 28, &src, 4);
	memcpy(f + 38, &vip, 4);
}

int main(int argc, char **argv)
{
	if (argc != 7)
		return fprintf(stderr, "usage: see probe.c\n"), 2;
	struct wire wire = wire_open(argv[1], ETH_P_ARP);
	uint32_t src = inet_addr(argv[2]), net = ntohl(inet_addr(argv[3]));
	int count = atoi(argv[4]), missing = count, timer = timer_new();
	int64_t now = clock_ns(CLOCK_MONOTONIC), limit = now + atol(argv[6]) * 1000000LL;
	uint8_t f[64], mac[6], answered[256] = {0};

	if (count > 255 || sscanf(argv[5], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2,
				  mac + 3, mac + 4, mac + 5) != 6)
		return fprintf(stderr, "usage: see probe.c\n"), 2;
	for (int next = 0; missing; next = (next + 1) % count) {
		if (answered[next])
			continue;
		now = clock_ns(CLOCK_MONOTONIC);
		if (now > limit)
			return fprintf(stderr, "%d addresses never answered\n", missing), 1;
		question(f, &wire, src, htonl(net + 1 + next));
		if (sendto(wire.fd, f, 60, 0, (struct sockaddr *)&wire.to, sizeof wire.to) < 0)
			fail("sendto");
		timer_wait(timer, now + GAP);
		for (;;) {
			uint32_t vip;

			if (recv(wire.fd, f, sizeof f, MSG_DONTWAIT) < 42)
				break;
			memcpy(&vip, f + 28, 4);
			int index = ntohl(vip) - net - 1;
			if (f[21] != ARPOP_REPLY || memcmp(f + 22, mac, 6) || index < 0 ||
			    index >= count || answered[index])
				continue;
			answered[index] = 1;
			missing--;
		}
	}
	return 0;
}
