/*
 * blast: DNS queries over UDP to 127.0.0.1, as many as a server answers.
 *
 *     blast PORT SECONDS FILE [WINDOW [SOCKETS [RATE]]]
 *
 * FILE holds queries, each after its length in two bytes, big end first. They are sent in turn, with
 * at most WINDOW of them unanswered (128), over SOCKETS source ports (4). What is not answered within
 * 0.2 s of silence counts as lost. Prints one line:
 *
 *     answered N lost N listed N denied N other N seconds S
 *
 * With RATE so many a second are sent, each when it is due, and it is told how long after that the
 * answers came, in microseconds: p50, p99, p999 and the longest. A query that could not be sent in
 * time counts from when it was due.
 *
 * It spins rather than sleeps, so give it a core of its own.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, PACKET = 1500, MOST_SOCKETS = 64, LONGEST = 1000000 };

struct query {
    uint8_t *data;
    size_t size;
};

struct port {
    int fd;
    int open;        /* sent and neither answered nor given up */
    uint16_t number; /* identifier of the last query */
    double heard;    /* when an answer came last */
    double *due;     /* by identifier: when its query was to be sent */
};

static double rate;                         /* queries a second, 0 for as many as are answered */
static double began;
static unsigned long sent_so_far;
static unsigned long took[LONGEST + 1];     /* answers by microseconds */

static struct {
    unsigned long answered, lost, listed, denied, other;
} total;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct query *read_queries(const char *name, size_t *count)
{
    FILE *file = fopen(name, "rb");
    struct query *all = NULL;
    size_t room = 0;
    int high, low;

    if (!file)
        fail(name);
    *count = 0;
    while ((high = fgetc(file)) != EOF && (low = fgetc(file)) != EOF) {
        struct query one = {NULL, (size_t)(high << 8 | low)};
        one.data = malloc(one.size);
        if (one.size < 12 || one.size > PACKET || !one.data ||
            fread(one.data, 1, one.size, file) != one.size)
            fail("reading queries");
        if (*count == room) {
            room = room ? 2 * room : 1024;
            all = realloc(all, room * sizeof *all);
            if (!all)
                fail("memory");
        }
        all[(*count)++] = one;
    }
    fclose(file);
    if (!*count) {
        fprintf(stderr, "%s: no queries\n", name);
        exit(1);
    }
    return all;
}

static int open_port(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 4 << 20;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
        fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return fd;
}

static int take_answers(struct port *port)
{
    static uint8_t room[BATCH][PACKET];
    struct mmsghdr heads[BATCH];
    struct iovec parts[BATCH];
    int count;

    memset(heads, 0, sizeof heads);
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){room[i], PACKET};
        heads[i].msg_hdr.msg_iov = &parts[i];
        heads[i].msg_hdr.msg_iovlen = 1;
    }
    count = recvmmsg(port->fd, heads, BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0)
        return 0;
    port->heard = now();
    for (int i = 0; i < count; i++) {
        int rcode = room[i][3] & 15, answers = room[i][6] << 8 | room[i][7];
        if (rate > 0) {
            double late = (port->heard - port->due[room[i][0] << 8 | room[i][1]]) * 1e6;
            took[late < 0 ? 0 : late > LONGEST ? LONGEST : (int)late]++;
        }
        if (rcode == 0 && answers)
            total.listed++;
        else if (rcode == 3)
            total.denied++;
        else
            total.other++;
    }
    total.answered += (unsigned long)count;
    port->open = port->open > count ? port->open - count : 0;
    return count;
}

static int send_queries(struct port *port, int room, const struct query *all, size_t count,
                        size_t *next)
{
    static uint8_t copies[BATCH][PACKET];
    struct mmsghdr heads[BATCH];
    struct iovec parts[BATCH];
    int sent;

    if (room > BATCH)
        room = BATCH;
    memset(heads, 0, sizeof heads);
    for (int i = 0; i < room; i++) {
        const struct query *one = &all[*next];
        *next = (*next + 1) % count;
        memcpy(copies[i], one->data, one->size);
        port->number++;
        copies[i][0] = (uint8_t)(port->number >> 8);
        copies[i][1] = (uint8_t)port->number;
        if (rate > 0)
            port->due[port->number] = began + (double)(sent_so_far + (unsigned long)i) / rate;
        parts[i] = (struct iovec){copies[i], one->size};
        heads[i].msg_hdr.msg_iov = &parts[i];
        heads[i].msg_hdr.msg_iovlen = 1;
    }
    sent = sendmmsg(port->fd, heads, (unsigned)room, 0);
    if (sent < 0 && errno != EAGAIN && errno != ECONNREFUSED)
        fail("send");
    if (sent > 0) {
        if (!port->open)
            port->heard = now();
        port->open += sent;
        sent_so_far += (unsigned long)sent;
    }
    return sent > 0 ? sent : 0;
}

/* The microseconds within which a part of the answers came. */
static int within(double part)
{
    unsigned long left = (unsigned long)(part * (double)total.answered);
    int at = 0;

    while (at < LONGEST && took[at] <= left)
        left -= took[at++];
    return at;
}

int main(int argc, char **argv)
{
    struct port ports[MOST_SOCKETS];
    size_t count, next = 0;
    int sockets = argc > 5 ? atoi(argv[5]) : 4, window = argc > 4 ? atoi(argv[4]) : 128;

    if (argc < 4 || sockets < 1 || sockets > MOST_SOCKETS || window < sockets) {
        fprintf(stderr, "usage: blast PORT SECONDS FILE [WINDOW [SOCKETS [RATE]]]\n");
        return 2;
    }
    struct query *all = read_queries(argv[3], &count);
    rate = argc > 6 ? atof(argv[6]) : 0;
    for (int i = 0; i < sockets; i++) {
        ports[i] = (struct port){open_port(atoi(argv[1])), 0, 0, 0, calloc(65536, sizeof(double))};
        if (!ports[i].due)
            fail("memory");
    }
    began = now();
    double end = began + atof(argv[2]);
    for (int i = 0; i < sockets; i++)
        ports[i].heard = began;
    while (now() < end) {
        for (int i = 0; i < sockets; i++) {
            struct port *port = &ports[i];
            if (port->open)
                take_answers(port);
            int room = window / sockets - port->open, enough = 8;
            if (rate > 0) {
                long due = (long)((now() - began) * rate) - (long)sent_so_far;
                room = due < room ? (int)due : room;
                enough = 1;
            }
            /* Several at a time: the system call costs more than the packet. */
            if (room >= enough || (!rate && room == window / sockets))
                send_queries(port, room, all, count, &next);
            else if (port->open && now() - port->heard > 0.2) {
                total.lost += (unsigned long)port->open;
                port->open = 0;
                port->heard = now();
            }
        }
    }
    printf("answered %lu lost %lu listed %lu denied %lu other %lu seconds %.3f", total.answered,
           total.lost, total.listed, total.denied, total.other, now() - began);
    if (rate > 0)
        printf(" p50 %d p99 %d p999 %d longest %d", within(0.5), within(0.99), within(0.999),
               within(1 - 1 / (2.0 * (double)(total.answered + 1))));
    printf("\n");
    return 0;
}
