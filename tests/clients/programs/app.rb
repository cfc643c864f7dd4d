# frozen_string_literal: true

# An application with a heartbeat client: `ruby app.rb MODE DSN [INTERVAL]`.
mode, dsn, interval = ARGV

if ENV["LOADED"] # Where each thread's name goes that loads a file.
  at_exit { File.write(ENV["LOADED"], LOADING.uniq.join("\n")) }
  LOADING = []
  module Watched
    def require(name)
      super.tap { |is_new| LOADING << "#{Thread.current.name} #{name}" if is_new }
    end
  end
  Kernel.prepend(Watched)
end

if ENV["SDK"]
  require "sentry-ruby"
  Sentry.init do |config|
    config.dsn = dsn
    config.release = "shop@1.4.0"
    config.environment = "staging"
    config.traces_sample_rate = 0.25
    config.breadcrumbs_logger = [:http_logger]
    config.logger = Logger.new(File::NULL)
    config.background_worker_threads = 0
    config.transport.ssl_ca_file = ENV["CA"]
    config.transport.proxy = ENV["PROXY"]
    config.before_send = lambda do |event, _|
      puts "crumbs #{event.to_hash[:breadcrumbs]}"
      nil
    end
  end
  dsn = nil
end

CLOCKS = [Process::CLOCK_THREAD_CPUTIME_ID, Process::CLOCK_MONOTONIC].freeze
started = CLOCKS.map { |clock| Process.clock_gettime(clock, :float_millisecond) }
unless mode == "none"
  require_relative "../../../clients/ruby/firstlight_heartbeat"
  FirstlightHeartbeat.start(dsn, interval: interval&.to_f)
end
puts CLOCKS.zip(started).map { |clock, at| Process.clock_gettime(clock, :float_millisecond) - at }.join(" ") if mode == "time"
if mode == "fork"
  fork do
    $stdin.read
    exit!
  end
  exit!
end
if mode == "daemon"
  Process.daemon(true, true)
  $stdin.read
  exit!
end
$stdin.gets if %w[run error].include?(mode)
Sentry.capture_exception(ArgumentError.new("an error of the application")) if mode == "error"
