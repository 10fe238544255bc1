#define _GNU_SOURCE
#include "quire_accept_queue.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int ask(int netlink, uint32_t inode) {
    struct {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } message = {
        .header = {.nlmsg_len = sizeof(message), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .request = {
            .sdiag_family = AF_UNIX,
            .udiag_states = UINT32_MAX,
            .udiag_ino = inode,
            .udiag_show = UDIAG_SHOW_RQLEN,
            .udiag_cookie = {UINT32_MAX, UINT32_MAX},
        },
    };
    return send(netlink, &message, sizeof(message), 0) == sizeof(message);
}

static int read_answer(int netlink, uint32_t *waiting, uint32_t *limit) {
    union {
        struct nlmsghdr header;
        char bytes[1024];
    } answer;
    // The kernel has put the answer there before `send` returned.
    ssize_t count = recv(netlink, &answer, sizeof(answer), MSG_DONTWAIT);
    if (count < 0 || !NLMSG_OK(&answer.header, count) || answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return 0;
    struct unix_diag_msg *message = NLMSG_DATA(&answer.header);
    int rest = (int)NLMSG_PAYLOAD(&answer.header, sizeof(*message));
    struct rtattr *attribute = (struct rtattr *)(message + 1);
    for (; RTA_OK(attribute, rest); attribute = RTA_NEXT(attribute, rest)) {
        if (attribute->rta_type != UNIX_DIAG_RQLEN || RTA_PAYLOAD(attribute) < sizeof(struct unix_diag_rqlen)) continue;
        struct unix_diag_rqlen lengths;
        memcpy(&lengths, RTA_DATA(attribute), sizeof(lengths));
        *waiting = lengths.udiag_rqueue;
        *limit = lengths.udiag_wqueue;
        return 1;
    }
    return 0;
}

int quire_accept_queue(int listening, uint32_t *waiting, uint32_t *limit) {
    struct stat status;
    if (fstat(listening, &status) != 0) return -1;
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (netlink < 0) return -1;
    int is_known = ask(netlink, (uint32_t)status.st_ino) && read_answer(netlink, waiting, limit);
    close(netlink);
    return is_known ? 0 : -1;
}
