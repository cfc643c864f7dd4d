import { Button, Text, View } from 'react-native';

function App() {
  return (
    <View>
      <Text>Hello</Text>
    </View>
  );
}

export default App;
