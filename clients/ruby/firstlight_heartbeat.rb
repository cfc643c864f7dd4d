# frozen_string_literal: true

# MIT License. Part of Firstlight. Copy this file into your project; it needs nothing but Ruby 2.7 or newer.
#
# Tells a Firstlight server that your application runs, and how its Sentry SDK is set up.
#
#   require_relative "firstlight_heartbeat"
#   FirstlightHeartbeat.start                # after Sentry.init
#   FirstlightHeartbeat.start(dsn)           # without an SDK
#   FirstlightHeartbeat.start(interval: 30)  # a back end: say so every 30 seconds
#
# It works in a thread of its own, never raises, prints nothing unless `debug` is set, and survives a fork (Ruby 3.1 or
# newer; before that, call `start` in the workers' boot hook).
#
# That thread loads nothing: a library that one thread is loading stands half finished before all others, and another's
# first use of it fails ("uninitialized constant OpenSSL::SSL"). So `start` loads what is needed, before the thread.
module FirstlightHeartbeat
  VERSION = "0.1.0"
  TIMEOUT = 5
  # A program that ends at once waits for 50 ms, at most, for its first heartbeat to be written. Counted in naps and not
  # by the clock: on a busy machine the thread has its turns, too.
  EXIT_NAPS = 50
  MAX_BACKOFF = 300
  RATE_LIMITED = 60 # What SDKs wait after a 429 without Retry-After.
  FINAL = [400, 401, 403, 404].freeze # Answers that will not change until somebody changes the DSN.
  DSN = %r{\A(https?)://(\w+)(?::\w*)?@([\w.-]+|\[[\h:.]+\])(:\d{1,5})?((?:/[\w.~%-]+)*)/([1-9]\d{0,18})/?\z}.freeze
  PROXY = %r{\A(?:http://)?(?:([^/@]*)@)?([\w.-]+|\[[\h:.]+\])(?::(\d{1,5}))?/?\z}.freeze
  RATES = %i[sample_rate traces_sample_rate profiles_sample_rate].freeze
  FLAGS = %i[enable_logs enable_metrics debug send_default_pii].freeze

  @lock = Mutex.new
  @beats = {}

  class << self
    # Sends one heartbeat, and goes on every `interval` seconds if there is one. Returns at once.
    #
    # @param dsn [String, nil] default: that of the Sentry SDK, else the environment's SENTRY_DSN
    # @param interval [Numeric, nil] seconds, 1 to 3600
    # @param debug [Boolean, nil] whether to tell on stderr what happens; default: that of the SDK
    def start(dsn = nil, interval: nil, release: nil, environment: nil, debug: nil)
      options = sdk_options
      debug = options[:debug] == true if debug.nil?
      target = parse(dsn || options[:dsn] || ENV["SENTRY_DSN"])
      return say(debug, "no heartbeat: there is no valid DSN") unless target

      sdk = sdk_meta
      body = {
        type: "heartbeat",
        interval: interval&.clamp(1, 3600),
        sdk: sdk,
        release: text(release || options[:release] || ENV["SENTRY_RELEASE"]),
        environment: text(environment || options[:environment] || ENV["SENTRY_ENVIRONMENT"]),
        runtime: { name: RUBY_ENGINE, version: RUBY_ENGINE == "ruby" ? RUBY_VERSION : RUBY_ENGINE_VERSION },
        config: config(options)
      }.compact
      transport = sdk_transport if target == parse(options[:dsn])
      load_libraries(transport || target[0] == "https")
      @lock.synchronize do
        known = @beats[target]
        break if known && known.pid == Process.pid

        @beats[target] = Beat.new(target, body, transport, debug).tap(&:launch)
      end
      nil
    rescue StandardError, LoadError => e
      say(debug, "no heartbeat: #{e.inspect}")
    end

    def say(debug, text)
      $stderr.write("[firstlight] #{text}\n") if debug
      nil
    end

    # In the child the threads start again, which a fork does not copy.
    def after_fork
      @lock = Mutex.new
      @beats.each_value { |beat| beat.launch if beat.due && beat.pid != Process.pid }
    rescue StandardError
      nil
    end

    def wait_at_exit
      EXIT_NAPS.times do
        return if @beats.each_value.all? { |beat| beat.written || beat.pid != Process.pid }

        sleep(0.001)
      end
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    private

    # The SDK needs OpenSSL for its first event, whatever the DSN.
    def load_libraries(needs_openssl)
      require "socket"
      require "openssl" if needs_openssl
    end

    # With the SDK's own transport its proxy, certificates and time-outs hold.
    def sdk_transport
      transport = ::Sentry.get_current_client.transport
      transport if transport.respond_to?(:send_data)
    end

    def sdk_options
      return {} unless defined?(::Sentry) && ::Sentry.respond_to?(:initialized?) && ::Sentry.initialized?

      configuration = ::Sentry.configuration
      names = %i[dsn release environment] + RATES + FLAGS
      names.select { |name| configuration.respond_to?(name) }.to_h { |name| [name, configuration.public_send(name)] }
    end

    def sdk_meta
      return { name: "firstlight.ruby", version: VERSION } unless defined?(::Sentry) && ::Sentry.respond_to?(:sdk_meta)

      meta = ::Sentry.sdk_meta
      { name: meta[:name] || meta["name"], version: meta[:version] || meta["version"] }
    end

    def config(options)
      rates = RATES.select { |name| options[name].is_a?(Numeric) && options[name].between?(0, 1) }
      flags = FLAGS.select { |name| [true, false].include?(options[name]) }
      found = rates.to_h { |name| [name, options[name].to_f] }.merge(flags.to_h { |name| [name, options[name]] })
      found.empty? ? nil : found
    end

    # Scheme, key, host, port, prefix and project; or nil.
    def parse(dsn)
      DSN.match(dsn.to_s.strip)&.captures
    end

    def text(value)
      value && value.to_s[0, 200]
    end
  end

  # The heartbeats to one project, and the thread that sends them.
  class Beat
    attr_reader :pid, :written, :due

    def initialize(target, body, transport, debug)
      @interval = body[:interval]
      @debug = debug
      @failures = 0
      @due = FirstlightHeartbeat.now
      @way = transport ? ThroughSdk.new(transport, target, body) : Direct.new(target, body)
    end

    def launch
      @pid = Process.pid
      @written = false
      thread = Thread.new { run }
      thread.report_on_exception = false
      thread.name = "firstlight-heartbeat"
      thread.thread_variable_set(:fork_safe, true) # so Puma does not warn of it
    end

    private

    def run
      while @due
        pause = @due - FirstlightHeartbeat.now
        sleep(pause) if pause.positive?
        delay = delay_after(*post)
        @due = delay && (FirstlightHeartbeat.now + delay)
      end
    rescue StandardError, LoadError => e
      FirstlightHeartbeat.say(@debug, "no more heartbeats: #{e.inspect}")
    ensure
      @written = true
    end

    # Sends one heartbeat. Returns the status, 0 without one, and Retry-After.
    def post
      @way.post { @written = true }
    rescue StandardError, NotImplementedError => e # a transport of the application's own may do anything
      FirstlightHeartbeat.say(@debug, "not sent: #{e.inspect}")
      [0, nil]
    ensure
      @written = true
    end

    # Seconds until the next heartbeat; nil: there is none.
    def delay_after(status, retry_after)
      FirstlightHeartbeat.say(@debug, "answered #{status}")
      if (200..299).cover?(status)
        @failures = 0
        return @interval
      end
      return FirstlightHeartbeat.say(@debug, "the DSN is refused; no more heartbeats") if FINAL.include?(status)
      return retry_after.to_i.clamp(1, 3600) if [429, 503].include?(status) && /\A\s*\d+\s*\z/.match?(retry_after.to_s)
      return RATE_LIMITED if status == 429

      @failures += 1
      [2**@failures, MAX_BACKOFF].min * (0.5 + (rand / 2))
    end
  end

  # An envelope by the SDK's transport, past its queue and its log.
  class ThroughSdk
    def initialize(transport, target, body)
      @transport = transport
      scheme, key, host, port, prefix, project = target
      dsn = "#{scheme}://#{key}@#{host}#{port}#{prefix}/#{project}"
      @data = [{ dsn: dsn, sdk: body[:sdk] }, { type: "heartbeat" }, body].map { |part| Json.of(part) }.join("\n")
    end

    # Returns the status, 0 without one, and Retry-After.
    def post
      @transport.send_data(@data)
      wait = @transport.rate_limits[nil].to_f - Time.now.to_f # after a 429, which newer versions do not raise
      wait.positive? ? [429, wait.ceil.to_s] : [200, nil]
    rescue ::Sentry::ExternalError => e
      status = e.message[/\Athe server responded with status (\d+)/, 1].to_i
      raise if status.zero?

      [status, status == 429 ? (@transport.rate_limits[nil].to_f - Time.now.to_f).ceil.to_s : nil]
    end
  end

  # A request on a plain socket, or by a proxy, as Net::HTTP would send it if it were loaded.
  class Direct
    def initialize(target, body)
      @scheme, key, @host, port, prefix, project = target
      @port = port ? port[1..-1].to_i : { "http" => 80, "https" => 443 }[@scheme]
      @name = @host.delete("[]")
      @proxy = proxy
      data = Json.of(body)
      @request = [
        "POST #{"http://#{@host}#{port}" if @proxy && !secure?}#{prefix}/api/#{project}/heartbeat/ HTTP/1.1",
        "Host: #{@host}#{port}",
        "Connection: close",
        "Content-Type: application/json",
        "Content-Length: #{data.bytesize}",
        "User-Agent: firstlight.ruby/#{VERSION}",
        "X-Sentry-Auth: Sentry sentry_version=7, sentry_key=#{key}",
        *(authorization unless secure?),
        "",
        data
      ].join("\r\n")
    end

    # Returns the status, 0 without one, and Retry-After. Calls its block when the request is written.
    def post
      @deadline = FirstlightHeartbeat.now + TIMEOUT
      @socket = Socket.tcp(*(@proxy ? @proxy.first(2) : [@name, @port]), connect_timeout: TIMEOUT)
      open_tunnel if @proxy && secure?
      encrypt if secure?
      @socket.write(@request)
      yield
      answered(head)
    ensure
      @socket&.close
    end

    private

    def secure?
      @scheme == "https"
    end

    # Host, port, user and password of the proxy, or nil. As for Net::HTTP, there is none for this machine itself.
    def proxy
      passed = environment("no_proxy").split(/[\s,]+/).reject(&:empty?)
      return if @name.match?(/\A(127\.[\d.]+|::1|localhost)\z/i) || passed.any? { |each| passes?(each.delete_prefix(".")) }

      user, host, port = PROXY.match(environment("#{@scheme}_proxy"))&.captures
      host && [host.delete("[]"), (port || 80).to_i, user]
    end

    def passes?(name)
      name == "*" || ".#{@name}".end_with?(".#{name}") || ".#{@name}:#{@port}".end_with?(".#{name}")
    end

    # HTTP_PROXY may be a header of a CGI request.
    def environment(name)
      (ENV[name] || ENV[ENV["REQUEST_METHOD"] ? name : name.upcase]).to_s
    end

    def authorization
      user = @proxy && @proxy[2]
      user && "Proxy-Authorization: Basic #{[user.gsub(/%(\h\h)/) { $1.hex.chr }].pack("m0")}"
    end

    def open_tunnel
      lines = ["CONNECT #{@host}:#{@port} HTTP/1.1", "Host: #{@host}:#{@port}", *authorization, "", ""]
      @socket.write(lines.join("\r\n"))
      status, = answered(head)
      raise IOError, "the proxy answered #{status}" unless status == 200
    end

    def encrypt
      context = OpenSSL::SSL::SSLContext.new
      context.set_params # certificates are checked, against those of the system
      @socket = OpenSSL::SSL::SSLSocket.new(@socket, context)
      @socket.sync_close = true
      @socket.hostname = @name unless /\A[\d.]+\z|:/.match?(@name)
      patiently { @socket.connect_nonblock(exception: false) }
      @socket.post_connection_check(@name)
    end

    def head
      text = +""
      until text.include?("\r\n\r\n") || text.size > 16_384
        text << (patiently { @socket.read_nonblock(4096, exception: false) } || break)
      end
      text
    end

    def answered(head)
      status = head[%r{\AHTTP/1\.[01] (\d{3})\b}, 1].to_i
      [status, head[/\r\nretry-after:([^\r\n]*)/i, 1]]
    end

    # Does what would block; waits until the deadline at most.
    def patiently
      while %i[wait_readable wait_writable].include?(result = yield)
        left = [@deadline - FirstlightHeartbeat.now, 0].max
        sets = result == :wait_readable ? [[@socket], nil] : [nil, [@socket]]
        raise IOError, "no answer in time" unless IO.select(*sets, nil, left)
      end
      result
    end
  end

  # JSON of hashes, texts, numbers and flags: the library would have to be loaded.
  module Json
    def self.of(value)
      case value
      when Hash
        "{#{value.map { |name, each| "#{of(name.to_s)}:#{of(each)}" }.join(",")}}"
      when String
        text = value.encode("UTF-8", invalid: :replace, undef: :replace).scrub
        "\"#{text.gsub(/["\\\x00-\x1f]/) { |letter| format("\\u%04x", letter.ord) }}\""
      else
        value.nil? ? "null" : value.to_s
      end
    end
  end

  # Ruby calls these for every fork.
  module Forking
    def _fork
      super.tap { |pid| FirstlightHeartbeat.after_fork if pid.zero? }
    end

    def daemon(*)
      super.tap { FirstlightHeartbeat.after_fork }
    end
  end

  Process.singleton_class.prepend(Forking) if Process.respond_to?(:_fork)
  at_exit { wait_at_exit }
  private_constant :Beat, :ThroughSdk, :Direct, :Json, :Forking
end
