require "rails"
require "action_controller/railtie"
# What Bundler.require does with the lines of a Gemfile; here the gems are the system's.
require "sentry-ruby"
require "sentry-rails"

module MyApp
  class Application < Rails::Application
    config.load_defaults 6.1
    config.eager_load = false
    config.hosts.clear
    config.secret_key_base = "of-a-test"
    config.logger = Logger.new($stdout)
  end
end
