--- cqueues as the host, which polls any object with a descriptor.

local libraries = require "spec.support.libraries"
local process = require "spec.support.shell"

teardown(process.clean)

describe("a host with a loop of cqueues", function()
	it("runs calls and a lookup beside its own timers, and sleeps while nothing happens", function()
		if not libraries.have("cqueues") then
			pending("this Lua has no cqueues")
		end
		local result = process.script(("package.path = %q .. package.path\n"):format(process.root .. "/?.lua;") .. [[
			local cqueues, silly = require "cqueues", require "silly"
			local visitor = require "spec.support.visitor"
			local fd, ticks, over = assert(silly.fd()), 0, false
			local watch = {
				pollfd = function() return fd end,
				events = function() return "r" end,
				timeout = function() end,
			}
			local loop = cqueues.new()
			loop:wrap(function()
				repeat cqueues.poll(watch) until not visitor.step()
				over = true
			end)
			loop:wrap(function()
				while not over do
					cqueues.sleep(0.01)
					ticks = ticks + 1
				end
			end)
			visitor.begin(function() return ticks end, function(ms, done)
				loop:wrap(function()
					cqueues.sleep(ms / 1000)
					done()
				end)
			end)
			assert(loop:loop())
			print "the host's loop has ended"
		]])
		assert.same({ status = 0, out = "answered, and idle\nthe host's loop has ended\n", err = "" }, result)
	end)
end)
