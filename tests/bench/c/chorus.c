/* chorus IFACE VERSION INTERVAL_US COUNT PRIORITY SRC NET burst|spread
 *
 * An Active of VRIDs 1..COUNT for the Backup under test to listen to, on absolute deadlines, until
 * it is killed: all adverts of an interval together, or evenly spread over it. */
#define _GNU_SOURCE
#include "vrrp.h"

#define FRAME 64

int main(int argc, char **argv)
{
	if (argc != 9)
		return fprintf(stderr, "usage: see chorus.c\n"), 2;
	struct wire wire = wire_open(argv[1], 0);
	static uint8_t frames[255][FRAME];
	static struct iovec vectors[255];
	static struct mmsghdr messages[255];
	int count = atoi(argv[4]), spread = !strcmp(argv[8], "spread"), timer = timer_new();
	int64_t interval = atol(argv[3]) * 1000LL, at = clock_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < count; i++) {
		struct advert advert = {atoi(argv[2]), i + 1, atoi(argv[5]), atol(argv[3]),
					inet_addr(argv[6]), vip_of(argv[7], i + 1)};

		vectors[i].iov_base = frames[i];
		vectors[i].iov_len = advert_write(frames[i], wire.mac, &advert);
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &wire.to;
		messages[i].msg_hdr.msg_namelen = sizeof wire.to;
	}
	for (int64_t turn = 1;; turn++) {
		int first = spread ? turn % count : 0, many = spread ? 1 : count;

		timer_wait(timer, at + (spread ? turn * interval / count : turn * interval));
		for (int done = 0; done < many;) {
			int sent = sendmmsg(wire.fd, messages + first + done, many - done, 0);
			if (sent <= 0)
				fail("sendmmsg");
			done += sent;
		}
	}
}
