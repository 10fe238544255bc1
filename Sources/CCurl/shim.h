// libcurl, and its variadic functions once for each type of argument: Swift calls no variadic C functions.
#pragma once
#include <curl/curl.h>

typedef size_t (*quire_curl_receiver)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode quire_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

/// libcurl copies the text.
static inline CURLcode quire_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

/// The list must live until the transfer ends.
static inline CURLcode quire_curl_set_headers(CURL *handle, struct curl_slist *headers) {
    return curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
}

/// A POST of these bytes, which must live until the transfer ends.
static inline CURLcode quire_curl_set_body(CURL *handle, const void *bytes, size_t count) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_POSTFIELDS, bytes);
}

/// What takes the body of the reply; it returns how many bytes it took, and any other number ends the transfer.
static inline CURLcode quire_curl_set_receiver(CURL *handle, quire_curl_receiver receiver, void *context) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receiver);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
}

static inline long quire_curl_status(CURL *handle) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
}
