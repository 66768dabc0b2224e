--- Memory under valgrind: nothing is touched that is not ours, and nothing is lost. `make memcheck`
--- does the same with most specs.

local shell = require "spec.support.shell"
local size = require "spec.support.size"

teardown(shell.clean)

describe("under valgrind", function()
	local function check(spec, limit)
		local result = shell.command(("sh -c \"cd '%s' && %s %s $('%s/tools/runner/script' %s) --ignore-lua --lua=%s "
			.. "--output=plainTerminal spec/%s_spec.lua\""):format(
			shell.root, shell.valgrind, shell.lua, shell.root, shell.lua, shell.lua, spec), nil, nil, limit)
		assert.equal("", result.err)
		assert.equal(0, result.status, result.out)
		assert.matches("%d+ success", result.out)
	end

	for _, spec in ipairs(size.of(
		{ "cluster_call", "cluster_close" },
		{ "cluster_call", "cluster_close", "cluster_storm", "cluster_wire", "tcp", "zproto", "task" }
	)) do
		it("spec/" .. spec .. "_spec.lua makes no mistake", function()
			check(spec, 300)
		end)
	end

	it("a host with two states, one after the other, makes none", function()
		local host, problem = shell.host()
		assert(host, problem)
		-- Everything that the library has is used, and left open as the state is closed.
		shell.write("state.lua", [[
			local silly, task, time = require "silly", require "silly.task", require "silly.time"
			local cluster, tcp, logger = require "silly.net.cluster", require "silly.net.tcp", require "silly.logger"
			local dns, signal, zproto = require "silly.net.dns", require "silly.signal", require "zproto"
			local proto = assert(zproto:parse "pair { .key:string 1 .values:int32[] 2 }")
			logger.setoutput "state.log"
			signal("SIGUSR1", print)
			cluster.serve {
				marshal = function(_, cmd, body) return cmd, proto:pack(proto:encode("pair", body)) end,
				unmarshal = function(_, _, data) return (proto:decode("pair", proto:unpack(data))) end,
				call = function(_, _, body)
					logger.info(body)
					return body
				end,
			}
			local listener = assert(cluster.listen "127.0.0.1:0")
			local streams = assert(tcp.listen { addr = "127.0.0.1:0", accept = function(conn)
				while conn:write(conn:read "\n") do end
			end })
			assert(silly.fd())
			task.fork(function()
				local peer = cluster.connect("localhost:" .. listener.addr:match "%d+$")
				for round = 1, 100 do
					local body = { key = ("x"):rep(round), values = { round } }
					assert(cluster.call(peer, 1, body).values[1] == round)
				end
				local conn = assert(tcp.connect(streams.addr))
				conn:write "line\n"
				assert(conn:read "\n" == "line\n")
				assert(dns.lookup("localhost", dns.A))
				open, done = { peer, conn, cluster.connect(listener.addr, { shared = false }) }, true
			end)
			time.after(60000, print)
			while not done do silly.step(10) end
			task.fork(function() cluster.call(open[1], 1, { key = "never answered", values = {} }) end)
			silly.step(0)
		]])
		local result = shell.command(("%s %s run state.lua state.lua"):format(shell.valgrind, host), nil, nil, 60)
		assert.same({ status = 0, out = "host: done\n", err = "" }, result)
	end)

	it("a mistake would be seen", function()
		shell.write("mistake.c", "#include <stdlib.h>\nint main(void) { volatile char *p = malloc(8); "
			.. "p[8] = 1; return 0; }\n")
		local result = shell.command(("sh -c \"cc -o mistake mistake.c && %s ./mistake\""):format(shell.valgrind))
		assert.equal(99, result.status)
		assert.matches("Invalid write", result.err)
	end)
end)
