# Two POSTs over one connection with Net::HTTP: URL, size, length or chunked.
require "net/http"
require "stringio"

uri, size, encoding = URI(ARGV[0]), ARGV[1].to_i, ARGV[2]
http = Net::HTTP.new(uri.host, uri.port)
http.max_retries = 0
http.keep_alive_timeout = 30
2.times do
  http.start unless http.started?
  post = Net::HTTP::Post.new(uri.path)
  if encoding == "chunked"
    post["Transfer-Encoding"] = "chunked"
    post.body_stream = StringIO.new("x" * size)
  else
    post.body = "x" * size
  end
  answer = http.request(post)
  puts "#{answer.code} #{answer.body}"
rescue StandardError => e
  puts "error #{e.class} #{e.message}".tr("\n", " ")
  http.finish if http.started?
end
