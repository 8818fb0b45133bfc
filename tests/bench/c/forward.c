/* forward IFACE ROUTER_MAC SRC DST COUNT CPU
 *
 * Sends COUNT frames of 64 bytes with UDP in them through a router and prints the nanoseconds that
 * took. On veth the whole way runs inside the send, so that this is the price of the whole path. */
#define _GNU_SOURCE
#include <sched.h>

#include "vrrp.h"

#define BATCH 64
#define FRAME 64

int main(int argc, char **argv)
{
	static uint8_t f[FRAME];
	static struct mmsghdr messages[BATCH];
	struct iovec vector = {f, FRAME};
	cpu_set_t cpus;

	if (argc != 7)
		return fprintf(stderr, "usage: see forward.c\n"), 2;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[6]), &cpus);
	if (sched_setaffinity(0, sizeof cpus, &cpus))
		fail("sched_setaffinity");
	struct wire wire = wire_open(argv[1], 0);
	uint32_t src = inet_addr(argv[3]), dst = inet_addr(argv[4]);
	long count = atol(argv[5]);

	sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", f, f + 1, f + 2, f + 3, f + 4, f + 5);
	memcpy(f + 6, wire.mac, 6);
	f[12] = 0x08;
	uint8_t *ip = f + 14, *udp = f + 34;
	ip[0] = 0x45;
	ip[3] = FRAME - 14;
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, &src, 4);
	memcpy(ip + 16, &dst, 4);
	sum_put(ip + 10, sum_add(0, ip, 20));
	udp[0] = udp[2] = 40;
	udp[5] = FRAME - 34;
	wire.to.sll_protocol = htons(ETH_P_IP);
	for (int i = 0; i < BATCH; i++) {
		messages[i].msg_hdr.msg_iov = &vector;
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &wire.to;
		messages[i].msg_hdr.msg_namelen = sizeof wire.to;
	}
	int64_t start = clock_ns(CLOCK_MONOTONIC);
	for (long left = count; left > 0;) {
		int sent = sendmmsg(wire.fd, messages, left < BATCH ? left : BATCH, 0);
		if (sent <= 0)
			fail("sendmmsg");
		left -= sent;
	}
	printf("%lld\n", (long long)(clock_ns(CLOCK_MONOTONIC) - start));
	return 0;
}
