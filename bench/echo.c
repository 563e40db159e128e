/*
 * echo: sends every datagram back as it came, in batches: what the kernel leaves to any DNS server.
 *
 *     echo PORT
 *
 * The answer bit is set, so that it looks like an answer. Ends by a signal.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, PACKET = 1500 };

int main(int argc, char **argv)
{
    static uint8_t room[BATCH][PACKET];
    struct mmsghdr heads[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in names[BATCH];
    struct sockaddr_in here = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;

    if (argc != 2) {
        fprintf(stderr, "usage: echo PORT\n");
        return 2;
    }
    here.sin_port = htons((uint16_t)atoi(argv[1]));
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here)) {
        perror("bind");
        return 1;
    }
    for (;;) {
        memset(heads, 0, sizeof heads);
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){room[i], PACKET};
            heads[i].msg_hdr.msg_iov = &parts[i];
            heads[i].msg_hdr.msg_iovlen = 1;
            heads[i].msg_hdr.msg_name = &names[i];
            heads[i].msg_hdr.msg_namelen = sizeof names[i];
        }
        int count = recvmmsg(fd, heads, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < count; i++) {
            parts[i].iov_len = heads[i].msg_len;
            room[i][2] |= 0x80;
        }
        for (int done = 0; done < count;) {
            int sent = sendmmsg(fd, heads + done, (unsigned)(count - done), 0);
            done += sent > 0 ? sent : 1;
        }
    }
}
