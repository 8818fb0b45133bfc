/* capture IFACE [arp]
 *
 * Writes a record of 16 bytes to standard output for each advert (and ARP message) that passes the
 * interface, in or out, until it is terminated: kernel's time in ns (8), IPv4 source or ARP sender
 * address (4), VRID (1; 0 for ARP), priority (1; the ARP operation), outgoing (1), the last byte of
 * the source MAC (1). It sleeps and drains, so that it costs the machine little; the times are the
 * kernel's and do not suffer. */
#define _GNU_SOURCE
#include <signal.h>

#include "vrrp.h"

#define BATCH 64

struct record {
	int64_t at;
	uint32_t source;
	uint8_t vrid, priority, outgoing, mac;
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static int drain(struct wire *wire)
{
	static uint8_t frames[BATCH][64];
	static char controls[BATCH][128];
	static struct sockaddr_ll from[BATCH];
	static struct mmsghdr messages[BATCH];
	static struct iovec vectors[BATCH];
	struct record records[BATCH];

	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){frames[i], sizeof frames[i]};
		messages[i].msg_hdr = (struct msghdr){&from[i], sizeof from[i], &vectors[i], 1,
						      controls[i], sizeof controls[i], 0};
	}
	int count = recvmmsg(wire->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (count < 0)
		fail("recvmmsg");
	for (int i = 0; i < count; i++) {
		uint8_t *f = frames[i];
		int arp = f[13] == 0x06;
		struct record *r = &records[i];

		*r = (struct record){stamp_of(&messages[i].msg_hdr), 0, arp ? 0 : f[35],
				     arp ? f[21] : f[36], from[i].sll_pkttype == PACKET_OUTGOING, f[11]};
		memcpy(&r->source, f + (arp ? 28 : 26), 4);
	}
	if (count && fwrite(records, sizeof *records, count, stdout) != (size_t)count)
		fail("write");
	return count;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return fprintf(stderr, "usage: see capture.c\n"), 2;
	struct wire wire = wire_open(argv[1], ETH_P_ALL);
	struct tpacket_stats lost;
	socklen_t len = sizeof lost;

	signal(SIGTERM, end);
	wire_filter(wire.fd, argc > 2);
	wire_stamps(wire.fd);
	fprintf(stderr, "ready\n");
	while (!ended) {
		while (drain(&wire))
			;
		fflush(stdout);
		usleep(5000);
	}
	while (drain(&wire))
		;
	fflush(stdout);
	if (getsockopt(wire.fd, SOL_PACKET, PACKET_STATISTICS, &lost, &len) == 0 && lost.tp_drops)
		return fprintf(stderr, "%u packets lost\n", lost.tp_drops), 3;
	return 0;
}
