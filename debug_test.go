package jwtsession
import ("testing";"fmt";"time")
func TestDebug(t *testing.T){
 h:=history{seed:77,sources:1,shared:true,clocks:true,spoiled:true,life:20*time.Second,steps:[]happening{{kind:setsClock,d:20*time.Minute},{kind:requests},{kind:setsClock,d:-time.Hour}}}
 debugEvents=func(m *member,e Event){fmt.Println(time.Now().Format("15:04:05.000"),m.ts.clock().Format("15:04:05.000"),e)}
 fmt.Println(enact(t,h))
}
