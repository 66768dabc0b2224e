--- A host that does nothing about SIGPIPE, as most do not: no write of ours to somebody who has gone
--- may end it.

local shell = require "spec.support.shell"
local size = require "spec.support.size"

teardown(shell.clean)

describe("a host with SIGPIPE at its default", function()
	local host, problem

	setup(function()
		host, problem = shell.host()
	end)

	--- What each script begins with: luasocket has the signal ignored.
	local FIRST = [[
		local socket = require "socket"
		default_pipe()
	]]

	--- And ends with: a write of its own, which shows that it could have died before.
	local LAST = [[
		local fate = io.open("fate", "w")
		fate:write "alive"
		fate:close()
		local pipe = io.popen("exec true", "w")
		for _ = 1, 1000 do
			pipe:write(("x"):rep(10000))
		end
		print "the signal does nothing"
	]]

	local function survives(script, redirection, reader)
		assert(host, problem)
		shell.write("pipe.lua", FIRST .. script .. LAST)
		shell.write("fate", "ended before")
		local result = shell.command(("sh -c '{ %s run pipe.lua %s; echo $? >status; } %s'"):format(
			host, redirection or "", reader or ""), nil, nil, 60)
		assert.same({ status = 0, out = "", err = "" }, result)
		assert.equal("alive", shell.read("fate"))
		assert.equal(128 + 13 .. "\n", shell.read("status"))
	end

	--- Connects, and lets the other end go while much is being written: by a reset, or after it has
	--- announced its end in order, with or without a turn of ours in between. The kernel says "broken
	--- pipe" then.
	local RESET = ([[
		local silly, task, time = require "silly", require "silly.task", require "silly.time"
		local cluster, tcp = require "silly.net.cluster", require "silly.net.tcp"
		local WAYS = {
			reset = function(sock)
				sock:setoption("linger", { on = true, timeout = 0 })
				sock:close()
			end,
			finish = function(sock)
				sock:shutdown "send"
				sock:close()
			end,
			finish_first = function(sock)
				sock:shutdown "send"
				time.sleep(1)
				sock:close()
			end,
		}
		local data = ("x"):rep(60000)
		cluster.serve { call = print, unmarshal = print, marshal = function(_, c, b) return c, b end }
		silly.run(function()
			local server = assert(socket.bind("127.0.0.1", 0))
			local _, port = server:getsockname()
			for round = 1, %d do
				for _, leave in pairs(WAYS) do
					local write, close = open("127.0.0.1:" .. port)
					local writer = task.fork(function()
						while write(data) do end
					end)
					local sock = server:accept()
					while not full() do time.sleep(1) end
					leave(sock)
					while task.status(writer) do time.sleep(1) end
					close()
				end
			end
			server:close()
		end)
	]]):format(size.of(5, 100))

	local OPEN = {
		cluster = [[
			local cluster = require "silly.net.cluster"
			function full()
				return cluster.stats().bytes_queued > 0
			end
			function open(addr)
				local peer = cluster.connect(addr, { shared = false })
				return function(data)
					return peer.fd and cluster.send(peer, 1, data, 1000)
				end, function()
					cluster.close(peer)
				end
			end
		]],
		stream = [[
			local conn
			function full()
				return conn:unsentbytes() > 0
			end
			function open(addr)
				conn = assert(require "silly.net.tcp".connect(addr))
				return function(data)
					require "silly.time".sleep(0)
					return conn:write(data:rep(20))
				end, function()
					conn:close()
				end
			end
		]],
	}

	for what, open in pairs(OPEN) do
		it("survives peers that go while a " .. what .. " writes", function()
			survives(open .. RESET)
		end)
	end

	it("survives a log whose reader has gone", function()
		survives([[
			local logger, silly, time = require "silly.logger", require "silly", require "silly.time"
			silly.run(function()
				while logger.dropped() == 0 do
					logger.info "nobody reads this"
					time.sleep(1)
				end
			end)
		]], "2>&1 >/dev/null", "| true")
	end)
end)
