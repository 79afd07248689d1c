/*
 * A library that is preloaded into a process of a function. It wraps connect, sendto, sendmsg and getaddrinfo, and refuses every connection,
 * datagram to an address and lookup of a name, except connections to the two addresses of AWS: the endpoint of its services and Lambda's
 * runtime API. It writes a line for each refusal. It does not see what a process does by other calls.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void record(const char *what, const char *whom, int port)
{
    const char *path = getenv("REFUSED_CONNECTIONS");
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
    if (file >= 0) {
        dprintf(file, "%s %s:%d\n", what, whom, port);
        close(file);
    }
}

/* Returns the port at the end of the address in an environment variable. */
static int port_in(const char *name)
{
    const char *address = getenv(name);
    const char *colon = address ? strrchr(address, ':') : NULL;
    return colon ? atoi(colon + 1) : -1;
}

/* Returns whether an address may be used, and records it if not. Only addresses of the internet are looked at. */
static int is_allowed(const char *what, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "?";
    int port = 0;
    if (address == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
        return 1;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;
        port = ntohs(four->sin_port);
        inet_ntop(AF_INET, &four->sin_addr, text, sizeof text);
    } else {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        port = ntohs(six->sin6_port);
        inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text);
    }
    if (strcmp(what, "connect") == 0 && strcmp(text, "127.0.0.1") == 0
        && (port == port_in("AWS_ENDPOINT_URL") || port == port_in("AWS_LAMBDA_RUNTIME_API")))
        return 1;
    record(what, text, port);
    return 0;
}

int connect(int socket, const struct sockaddr *address, socklen_t length)
{
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    if (is_allowed("connect", address))
        return next(socket, address, length);
    errno = ECONNREFUSED;
    return -1;
}

ssize_t sendto(int socket, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t length)
{
    ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");
    if (is_allowed("sendto", address))
        return next(socket, data, size, flags, address, length);
    errno = ECONNREFUSED;
    return -1;
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags)
{
    ssize_t (*next)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    if (is_allowed("sendmsg", message->msg_name))
        return next(socket, message, flags);
    errno = ECONNREFUSED;
    return -1;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    (void)service, (void)hints, (void)found;
    record("getaddrinfo", name ? name : "?", 0);
    return EAI_FAIL;
}
