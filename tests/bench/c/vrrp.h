/* What the programs of the bench share: sockets on a wire, clocks, and adverts as bytes. */
#ifndef VRRP_H
#define VRRP_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define VRRP 112

struct wire {
	int fd;
	struct sockaddr_ll to;
	uint8_t mac[6];
};

/* One advert with one address. `interval_us` is the sender's, `src` and `vip` in network order. */
struct advert {
	int version, vrid, priority;
	long interval_us;
	uint32_t src, vip;
};

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

static inline void timer_at(int timer, int64_t ns)
{
	struct itimerspec at = {{0, 0}, {ns / SECOND, ns % SECOND}};

	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL))
		fail("timerfd_settime");
}

static inline int timer_new(void)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (timer < 0)
		fail("timerfd_create");
	return timer;
}

/* Waits until the absolute time `ns` of CLOCK_MONOTONIC. */
static inline void timer_wait(int timer, int64_t ns)
{
	uint64_t count;

	timer_at(timer, ns);
	if (read(timer, &count, sizeof count) != sizeof count)
		fail("read timerfd");
}

/* A packet socket on `name`; `protocol` is ETH_P_ALL for one that also hears what is sent, 0 for one
 * that hears nothing. */
static inline struct wire wire_open(const char *name, int protocol)
{
	struct wire wire = {.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)};
	struct ifreq request = {0};

	if (wire.fd < 0)
		fail("socket");
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(wire.fd, SIOCGIFHWADDR, &request))
		fail(name);
	memcpy(wire.mac, request.ifr_hwaddr.sa_data, 6);
	wire.to.sll_family = AF_PACKET;
	wire.to.sll_protocol = htons(protocol);
	wire.to.sll_ifindex = if_nametoindex(name);
	wire.to.sll_halen = 6;
	if (protocol && bind(wire.fd, (struct sockaddr *)&wire.to, sizeof wire.to))
		fail("bind");
	return wire;
}

/* Lets through adverts, and ARP too if `arp`. Attach it before anything is awaited. */
static inline void wire_filter(int fd, int arp)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_ARP, arp ? 3 : 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VRRP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program))
		fail("SO_ATTACH_FILTER");
}

/* Asks for the kernel's time of each packet. */
static inline void wire_stamps(int fd)
{
	int on = 1, room = 64 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on))
		fail("SO_TIMESTAMPNS");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
}

static inline int64_t stamp_of(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec at;
			memcpy(&at, CMSG_DATA(c), sizeof at);
			return at.tv_sec * SECOND + at.tv_nsec;
		}
	fprintf(stderr, "a packet without a timestamp\n");
	exit(1);
}

static inline uint32_t sum_add(uint32_t sum, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += b[i] << 8 | b[i + 1];
	return sum;
}

static inline void sum_put(uint8_t *at, uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = ~sum >> 8;
	at[1] = ~sum;
}

/* Writes the frame and returns its length. Version 3 has the pseudo-header in its checksum. */
static inline size_t advert_write(uint8_t *f, const uint8_t *mac, const struct advert *a)
{
	static const uint8_t group[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x12};
	size_t len = a->version == 3 ? 12 : 20;
	uint8_t *ip = f + 14, *v = f + 34;
	uint32_t sum = 0;

	memset(f, 0, 34 + len);
	memcpy(f, group, 6);
	memcpy(f + 6, mac, 6);
	f[12] = 0x08;
	ip[0] = 0x45;
	ip[1] = 0xc0;
	ip[3] = 20 + len;
	ip[8] = 255;
	ip[9] = VRRP;
	memcpy(ip + 12, &a->src, 4);
	memcpy(ip + 16, (uint8_t[]){224, 0, 0, 18}, 4);
	sum_put(ip + 10, sum_add(0, ip, 20));
	v[0] = a->version << 4 | 1;
	v[1] = a->vrid;
	v[2] = a->priority;
	v[3] = 1;
	if (a->version == 3) {
		v[4] = a->interval_us / 10000 >> 8;
		v[5] = a->interval_us / 10000;
		sum = sum_add(VRRP + len, ip + 12, 8);
	} else {
		v[5] = a->interval_us / 1000000;
	}
	memcpy(v + 8, &a->vip, 4);
	sum_put(v + 6, sum_add(sum, v, len));
	return 34 + len;
}

/* The VIP of a VRID: the bench gives VRID n the address `net`.n. */
static inline uint32_t vip_of(const char *net, int vrid)
{
	return htonl(ntohl(inet_addr(net)) + vrid);
}

#endif
