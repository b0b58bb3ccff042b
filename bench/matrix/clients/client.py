# Two POSTs over one connection with http.client: URL, size, length or chunked.
import http.client
import sys
import urllib.parse

url, size, encoding = urllib.parse.urlsplit(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def parts():
    left = size
    while left:
        part = b"x" * min(left, 65536)
        left -= len(part)
        yield part


api = http.client.HTTPConnection(url.netloc, timeout=30)
for _ in range(2):
    try:
        if encoding == "chunked":
            api.request("POST", url.path, parts(), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        else:
            api.request("POST", url.path, b"x" * size)
        answer = api.getresponse()
        print(answer.status, answer.read().decode(), flush=True)
    except Exception as error:
        print("error", repr(error), flush=True)
        api.close()
