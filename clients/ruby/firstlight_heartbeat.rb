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
module FirstlightHeartbeat
  VERSION = "0.1.0"
  TIMEOUT = 5
  EXIT_WAIT = 0.05 # A program that ends at once waits so long, at most, for its first heartbeat to be written.
  MAX_BACKOFF = 300
  RATE_LIMITED = 60 # What SDKs wait after a 429 without Retry-After.
  FINAL = [400, 401, 403, 404].freeze # Answers that will not change until somebody changes the DSN.
  DSN = %r{\A(https?)://(\w+)(?::\w*)?@([\w.-]+|\[[\h:.]+\])(:\d{1,5})?((?:/[\w.~%-]+)*)/([1-9]\d{0,18})/?\z}.freeze
  RATES = %i[sample_rate traces_sample_rate profiles_sample_rate].freeze
  FLAGS = %i[enable_logs enable_metrics debug send_default_pii].freeze

  @lock = Mutex.new
  @loading = Mutex.new # Held while a thread requires: a fork then would leave the file half loaded in the child.
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
      url, key = parse(dsn || options[:dsn] || ENV["SENTRY_DSN"])
      return say(debug, "no heartbeat: there is no valid DSN") unless url

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
      @lock.synchronize do
        known = @beats[url + key]
        break if known && known.pid == Process.pid

        @beats[url + key] = Beat.new(url, key, body, debug).tap(&:launch)
      end
      nil
    rescue StandardError => e
      say(debug, "no heartbeat: #{e.inspect}")
    end

    def say(debug, text)
      $stderr.write("[firstlight] #{text}\n") if debug
      nil
    end

    # Requires what sending needs, in the sending thread; to its end: one that is killed meanwhile leaves Ruby hanging.
    def load_libraries
      Thread.handle_interrupt(Object => :never) do
        @loading.synchronize do
          require "json"
          require "net/http"
          require "openssl" # which net/http loads at the first error otherwise
        end
      end
    end

    # A fork waits until nothing is half loaded; the child starts the threads again, which a fork does not copy.
    def forking
      held = wait_for_loading
      pid = yield
    ensure
      @loading.unlock if held
      after_fork if pid&.zero?
    end

    def wait_at_exit
      deadline = now + EXIT_WAIT
      sleep(0.001) until @beats.each_value.all? { |beat| beat.written || beat.pid != Process.pid } || now > deadline
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    private

    def wait_for_loading
      deadline = now + 1
      sleep(0.001) until (held = @loading.try_lock) || now > deadline
      held
    rescue StandardError
      false
    end

    def after_fork
      @lock = Mutex.new
      @loading = Mutex.new
      @beats.each_value { |beat| beat.launch if beat.due }
    rescue StandardError
      nil
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

    # The URL to post to and the key, or nil.
    def parse(dsn)
      match = DSN.match(dsn.to_s.strip)
      return nil unless match

      scheme, key, host, port, prefix, project = match.captures
      ["#{scheme}://#{host}#{port}#{prefix}/api/#{project}/heartbeat/", key]
    end

    def text(value)
      value && value.to_s[0, 200]
    end
  end

  # The heartbeats to one project, and the thread that sends them.
  class Beat
    attr_reader :pid, :written, :due

    def initialize(url, key, body, debug)
      @url = url
      @key = key
      @body = body
      @debug = debug
      @failures = 0
      @due = FirstlightHeartbeat.now
    end

    def launch
      @pid = Process.pid
      @written = false
      thread = Thread.new { run }
      thread.report_on_exception = false
      thread.name = "firstlight-heartbeat"
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

    # Sends one heartbeat. Returns the status, 0 without one, and Retry-After. Obeys http_proxy, as Net::HTTP does.
    def post
      FirstlightHeartbeat.load_libraries
      uri = URI(@url)
      http = Net::HTTP.new(uri.hostname, uri.port)
      http.use_ssl = uri.scheme == "https"
      http.open_timeout = http.read_timeout = http.write_timeout = TIMEOUT
      http.start { return ask(http, uri.request_uri) }
    rescue StandardError => e
      FirstlightHeartbeat.say(@debug, "not sent: #{e.inspect}")
      [0, nil]
    ensure
      @written = true
    end

    def ask(http, path)
      data = JSON.generate(@body)
      request = Net::HTTP::Post.new(
        path,
        "Content-Type" => "application/json",
        "Content-Length" => data.bytesize.to_s,
        "User-Agent" => "firstlight.ruby/#{VERSION}",
        "X-Sentry-Auth" => "Sentry sentry_version=7, sentry_key=#{@key}"
      )
      request.body_stream = Noting.new(data) { @written = true }
      http.request(request) { |answer| return [answer.code.to_i, answer["Retry-After"]] }
    end

    # Seconds until the next heartbeat; nil: there is none.
    def delay_after(status, retry_after)
      FirstlightHeartbeat.say(@debug, "#{@url} answered #{status}")
      if (200..299).cover?(status)
        @failures = 0
        return @body[:interval]
      end
      return FirstlightHeartbeat.say(@debug, "the DSN is refused; no more heartbeats") if FINAL.include?(status)
      return retry_after.to_i.clamp(1, 3600) if [429, 503].include?(status) && /\A\s*\d+\s*\z/.match?(retry_after.to_s)
      return RATE_LIMITED if status == 429

      @failures += 1
      [2**@failures, MAX_BACKOFF].min * (0.5 + (rand / 2))
    end
  end

  # A body that tells when all of it is with the socket: when more is asked for.
  class Noting
    def initialize(data, &when_empty)
      @data = data
      @when_empty = when_empty
    end

    def read(_size = nil, buffer = nil)
      data = @data
      @data = nil
      @when_empty.call unless data
      data && buffer ? buffer.replace(data) : data
    end
  end

  # Ruby calls this for every fork.
  module Forking
    def _fork
      FirstlightHeartbeat.forking { super }
    end
  end

  Process.singleton_class.prepend(Forking) if Process.respond_to?(:_fork)
  at_exit { wait_at_exit }
  private_constant :Beat, :Noting, :Forking
end
